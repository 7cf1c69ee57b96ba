// `tlacacoca serve`, told by SIGHUP to read other certificates and rules.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { geminiScript } from './gemini.ts'
import { certificateOf, prepareCertificates, preparePages, prepareVisitors, showCertificate } from './site.ts'
import { type Identity, type Target, UNWELCOME_RANGE } from './target.ts'

// It has no accounts, and words one refusal differently.
const script: Target['script'] = {
  ...geminiScript,
  identities: geminiScript.identities
    .filter(({ visitor }) => visitor !== 'account')
    .filter(({ name }) => name !== 'without an account')
    .map((each) => (each.name === 'expired' ? { ...each, answer: /^62 this certificate has expired/ } : each)),
  // Those are cut off before TLS, without an answer.
  unwelcome: null,
}

const settingsOf = (member: string, change: number): string => `
hosts = ["localhost"]

[[certificates]]
cert = "cert.pem"
key = "key.pem"

[access]
deny = ["${UNWELCOME_RANGE}", "203.0.113.${change}"]

[[rate_limits]]
capacity = 10
refill_per_second = 1

[bans]
tolerated = 10

[[rules]]
path = "/members/"
allowed_fingerprints = ["${member}"]

[log]
level = "info"
format = "json"
file = "log.jsonl"
`

let changes = 0

export const command: Target = {
  script,
  expected: [/^(Folder|Serving|Fingerprint): /],

  async prepare(folder) {
    await preparePages(folder, '.gmi')
    await mkdir(join(folder, 'home'))
    const identities = await prepareVisitors()
    await writeSettings(folder, identities.member)
    return { serverFingerprints: await prepareCertificates(folder), identities }
  },

  program: {
    path: fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url)),
    args: (folder) => [
      'serve',
      join(folder, 'capsule'),
      '--config',
      join(folder, 'settings.toml'),
      '--port',
      '0',
      '--listen',
      '127.0.0.1',
    ],
    env: (folder) => ({ HOME: join(folder, 'home'), XDG_DATA_HOME: join(folder, 'home') }),
    port: /gemini:\/\/localhost:(\d+)\//,
    async change(folder, { identities }) {
      changes++
      await showCertificate(folder, changes % 2)
      await writeSettings(folder, identities.member)
    },
  },
}

async function writeSettings(folder: string, member: Identity | undefined): Promise<void> {
  await writeFile(join(folder, 'settings.toml'), settingsOf(certificateOf(member).fingerprint, changes % 200))
}
