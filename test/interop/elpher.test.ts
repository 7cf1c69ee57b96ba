// Elpher at the example server, without an identity and with one that our command wrote.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createServerContext, type Listener } from 'tlacacoca'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createCapsule } from '../../docs/examples/gemini-server.ts'
import { testCertificate } from '../support/certificates.ts'
import { runCli } from '../support/cli.ts'
import { elpher, hasElpher } from '../support/elpher.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

let folder = ''
let server: Listener
let origin = ''
/** The one who may see the club. */
let fingerprint = ''

async function identity(...args: readonly string[]): Promise<unknown> {
  const result = await runCli(['identity', ...args, '--json'], { home: folder, now: Date.now() })
  expect(result).toMatchObject({ code: 0 })
  return result.json()
}

beforeEach(async () => {
  folder = await temporaryFolder()
  await mkdir(join(folder, 'capsule/club'), { recursive: true })
  // Elpher 2.10 asks for the size of a heading's letters, and fails where they have none, as at a terminal.
  await writeFile(join(folder, 'capsule/index.gmi'), 'Hello from the capsule\n=> /club/ The club\n')
  await writeFile(join(folder, 'capsule/club/index.gmi'), 'Members only\n')
  const made = (await identity('new', 'Ana')) as { fingerprint: string }
  fingerprint = made.fingerprint
  const site = await testCertificate({ host: 'localhost' })
  const context = await createServerContext({
    certificates: [{ cert: site.certPem, key: site.keyPem }],
    clientCertificates: 'request',
  })
  const rules = [{ path: '/club/', allowedFingerprints: [fingerprint] }]
  server = createCapsule({ root: join(folder, 'capsule'), context, served: ['localhost'], rules, burst: 100 })
  origin = `gemini://localhost:${(await server.listen(0, '127.0.0.1')).port}`
})

afterEach(() => server.close())

describe.runIf(hasElpher())(
  'Elpher',
  () => {
    it('shows a page, with its links', async () => {
      const [screen] = await elpher(join(folder, 'home'), [{ url: `${origin}/`, until: 'Hello' }])
      expect(screen).toMatch(/^Hello from the capsule\n→ The club\n/)
    })

    it('shows the page behind a certificate with an identity that our command wrote', async () => {
      const [cert, key] = [join(folder, 'ana.crt'), join(folder, 'ana.key')]
      await identity('export', 'Ana', '--to', cert, '--key', key)
      const screens = await elpher(join(folder, 'home'), [
        { url: `${origin}/`, until: 'Hello', install: { cert, key } },
        { url: `${origin}/club/`, until: 'Members only' },
      ])
      expect(screens[1]).toMatch(/^Members only\n/)
    })
  },
  200_000,
)
