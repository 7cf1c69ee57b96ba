// Bytes that are not what was written. A store may say that it is damaged; it may not say that what was stored is not there.
//
// What SQLite can notice is what has a form: pages, cells, the columns of a row. Nothing notices a letter that became
// another one within a text, nor a page in the place of another one that looks like it, and docs/explanation/faults.md says
// so. Here every page and every kind of length is tried.

import { cpSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createAuthorityDirectory, openAuthorityDirectory } from '../../src/authority/identity-directory.ts'
import { generateSelfSignedCertificate } from '../../src/certificate/generate.ts'
import { loadPrivateKey } from '../../src/certificate/private-key.ts'
import { saveCertificateFiles } from '../../src/certificate/save.ts'
import { createServerContext } from '../../src/tls/server-context.ts'
import { signKnownHosts } from '../../src/tofu/signed-list.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import {
  certificateOf,
  codeOf,
  hostOf,
  openStore,
  placeOf,
  SQLITE_KINDS,
  type StoreKind,
} from '../support/fault-stores.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const ROWS = 12

/** What a store that may be damaged says of what is in it, each answer once. */
async function answersOf(folder: string, kind: StoreKind, rows = ROWS): Promise<Set<string>> {
  const answers = new Set<string>()
  try {
    const store = await openStore(folder, kind, { lockTimeoutMs: 20 })
    try {
      for (let n = 0; n < rows; n++) answers.add(await store.look(n).catch(codeOf))
    } finally {
      await store.close()
    }
  } catch (error) {
    answers.add(codeOf(error))
  }
  return answers
}

const NOTICED = /^(there|ERR_TLACACOCA_STORE_(CORRUPT|FOREIGN|NEWER|FAILED))$/

describe.each(SQLITE_KINDS)('damaged %s', (kind) => {
  async function prepared(): Promise<{ folder: string; path: string; whole: Buffer }> {
    const folder = await temporaryFolder()
    const store = await openStore(folder, kind)
    for (let n = 0; n < ROWS; n++) await store.write(n)
    await store.close()
    const path = placeOf(folder, kind)
    return { folder, path, whole: readFileSync(path) }
  }

  it('never seem to be without what is in them, whatever became of a page', async () => {
    const { folder, path, whole } = await prepared()
    const seen = new Set<string>()
    for (let page = 0; page < whole.length; page += 4096) {
      // All bits, or one of every byte.
      const damages = { inverted: () => 0xff, flipped: (n: number) => 1 << (n % 8) }
      for (const [how, damage] of Object.entries(damages)) {
        const spoiled = Buffer.from(whole)
        for (let n = page; n < page + 4096; n++) spoiled[n] = (whole[n] ?? 0) ^ damage(n)
        writeFileSync(path, spoiled)
        for (const answer of await answersOf(folder, kind)) {
          expect(answer, `page ${page / 4096} ${how}`).toMatch(NOTICED)
          seen.add(answer)
        }
      }
    }
    expect(seen).toContain('there')
    expect(seen).toContain('ERR_TLACACOCA_STORE_CORRUPT')
    writeFileSync(path, whole)
    expect(await answersOf(folder, kind)).toEqual(new Set(['there']))
  })

  it('never seem to be without what was cut off, at the end of a page or within one', async () => {
    const { folder, path, whole } = await prepared()
    for (let page = 0; page < whole.length; page += 4096) {
      for (const length of [page, page + 1, page + 100, page + 4095]) {
        writeFileSync(path, whole)
        truncateSync(path, length)
        expect([...(await answersOf(folder, kind))], `${length} bytes`).toEqual(['ERR_TLACACOCA_STORE_CORRUPT'])
        // Nor is a new file begun.
        expect(readFileSync(path)).toHaveLength(length)
      }
    }
  })

  it('have what was done before the damage in their log, in the order in which it was done', async () => {
    const folder = await temporaryFolder()
    const busy = await openStore(folder, kind)
    for (let n = 0; n < 4; n++) await busy.write(n)
    const place = placeOf(folder, kind)
    const [database, log] = [readFileSync(place), readFileSync(`${place}-wal`)]
    await busy.close()
    const states = new Set<string>()
    const HEADER = 32
    const FRAME = 4096 + 24
    expect((log.length - HEADER) % FRAME).toBe(0)
    for (let frame = 0; frame * FRAME + HEADER <= log.length; frame++) {
      for (const more of [0, 2000]) {
        const length = Math.min(HEADER + frame * FRAME + more, log.length)
        for (const spoil of [
          () => log.subarray(0, length),
          () => {
            const bytes = Buffer.from(log)
            if (length < bytes.length) bytes[length] = (bytes[length] ?? 0) ^ 1
            return bytes
          },
        ]) {
          const copy = join(folder, 'copy')
          mkdirSync(copy, { recursive: true })
          writeFileSync(placeOf(copy, kind), database)
          writeFileSync(`${placeOf(copy, kind)}-wal`, spoil())
          writeFileSync(`${placeOf(copy, kind)}-shm`, '')
          const store = await openStore(copy, kind)
          let state = ''
          for (let n = 0; n < 4; n++) state += (await store.look(n)) === 'there' ? 'x' : '-'
          await store.close()
          // The first so many, and nothing half.
          expect(state, `frame ${frame}, ${more}`).toMatch(/^x*-*$/)
          states.add(state)
        }
      }
    }
    expect([...states].sort()).toEqual(['----', 'x---', 'xx--', 'xxx-', 'xxxx'])
  })
})

describe('a damaged wallet', () => {
  it('loses no other identity than that of the file, and says which it is', async () => {
    const folder = await temporaryFolder()
    const store = await openStore(folder, 'wallet')
    await store.write(0)
    await store.close()
    const origin = placeOf(folder, 'wallet')
    for (const name of readdirSync(origin).filter((each) => each !== '.lock')) {
      const whole = readFileSync(join(origin, name))
      for (const part of [0, 0.2, 0.4, 0.6, 0.8, 0.95]) {
        const copy = await temporaryFolder()
        cpSync(origin, placeOf(copy, 'wallet'), { recursive: true })
        const path = join(placeOf(copy, 'wallet'), name)
        writeFileSync(path, whole.subarray(0, Math.floor(whole.length * part)))
        const { IdentityWallet } = await import('../../src/identity/wallet/identity-wallet.ts')
        const wallet = await IdentityWallet.open({ directory: placeOf(copy, 'wallet') }).catch((error: Error) => error)
        if (wallet instanceof Error) {
          expect(name).toBe('identities.toml')
          expect(wallet).toMatchObject({ code: 'ERR_TLACACOCA_IDENTITY_METADATA_INVALID' })
          continue
        }
        const [identity] = wallet.list()
        if (name.endsWith('.crt')) {
          expect(identity).toBeUndefined()
          expect(wallet.problems).toMatchObject([{ path }])
        } else if (name.endsWith('.key')) {
          const failure: unknown = await wallet.clientIdentity(identity?.id ?? '').catch((error: unknown) => error)
          expect(failure).toMatchObject({ code: 'ERR_TLACACOCA_KEY_MALFORMED' })
          expect(String(failure)).not.toContain('PRIVATE KEY')
        } else expect(identity).toBeDefined()
        // What is damaged is not written over by what comes next.
        await wallet.create({ name: 'another' })
        if (name !== 'identities.toml') expect(readFileSync(path)).toHaveLength(Math.floor(whole.length * part))
        await wallet.close()
      }
    }
  })
})

/** A text with one character that is another one, and the text cut at each length. */
function* damaged(text: string, step: number): Generator<string> {
  for (let at = 0; at < text.length; at += step) {
    yield text.slice(0, at)
    yield `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`
  }
}

describe('damaged files', () => {
  it('a list that was signed is imported as it was signed, or not at all', async () => {
    const folder = await temporaryFolder()
    const [list, signature] = [join(folder, 'list.toml'), join(folder, 'list.toml.sig')]
    const pair = await generateSelfSignedCertificate({ hostname: 'example.org' })
    const pins = TofuStore.inMemory()
    await pins.trust(hostOf(0), await certificateOf(0))
    await pins.exportToml(list)
    await signKnownHosts(list, { privateKey: await loadPrivateKey(pair.privateKeyPem) })
    const signedBy = { signedBy: pair.certificate.publicKeyFingerprint, name: 'Ana' }
    for (const path of [list, signature]) {
      const whole = readFileSync(path, 'utf8')
      let tried = 0
      for (const text of damaged(whole, 3)) {
        if (text === whole || text === whole.trimEnd()) continue
        writeFileSync(path, text)
        const into = TofuStore.inMemory()
        const code = await into.importToml(list, { signature: signedBy }).then(() => 'imported', codeOf)
        expect(code).toMatch(/^ERR_TLACACOCA_(SIGNATURE_INVALID|IMPORT_INVALID)$/)
        expect(await into.listHosts()).toEqual([])
        tried++
      }
      expect(tried).toBeGreaterThan(100)
      writeFileSync(path, whole)
    }
    expect(await TofuStore.inMemory().importToml(list, { signature: signedBy })).toMatchObject({ added: 1 })
  })

  it('an authority is opened as it was made, or not at all', async () => {
    const folder = await temporaryFolder()
    const made = await createAuthorityDirectory(folder, {
      subject: [['CN', 'ca.example']],
      dangerouslyUnencrypted: true,
    })
    for (const name of ['ca.cert.pem', 'ca.private_key.pem', 'ca.public_key.pem']) {
      const whole = readFileSync(join(folder, name), 'utf8')
      const codes = new Set<string>()
      for (const text of damaged(whole, 5)) {
        writeFileSync(join(folder, name), text)
        const found = await openAuthorityDirectory(folder).then(
          ({ certificate, warnings }) => {
            if (certificate.equals(made.certificate)) return 'the same'
            // With another name in one of two places, it looks like one that somebody above has signed, and it is said that
            // nobody is known there.
            return warnings.some(({ code }) => code === 'chain_incomplete') ? 'one without its issuer' : 'another'
          },
          (error: Error) => {
            expect(error.message).toContain(folder)
            expect(error.message).not.toContain(whole.slice(40, 60))
            return codeOf(error)
          },
        )
        codes.add(found)
        expect(found).toMatch(/^(the same|one without its issuer|ERR_TLACACOCA_(AUTHORITY|CERTIFICATE|KEY)_\w+)$/)
      }
      expect(codes.size).toBeGreaterThan(1)
      writeFileSync(join(folder, name), whole)
    }
  })

  it('a server goes on with the certificate that it has, and takes the next one that is whole', async () => {
    const folder = await temporaryFolder()
    const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    const paths = { certFile: certFile, keyFile: keyFile, overwrite: true }
    const pair = await generateSelfSignedCertificate({ hostname: 'example.org' })
    await saveCertificateFiles(pair, paths)
    const context = await createServerContext({ certificates: [{ certFile, keyFile }] })
    let served = pair.certificate
    for (const [path, whole] of [
      [certFile, pair.certificatePem],
      [keyFile, pair.privateKeyPem],
    ] as const) {
      for (const text of damaged(whole, 11)) {
        if (text.trimEnd() === whole.trimEnd()) continue
        writeFileSync(path, text)
        const outcome = await context.reload().then(() => 'reloaded', codeOf)
        expect(outcome).toMatch(/^(reloaded|ERR_TLACACOCA_(CERTIFICATE|CHAIN|KEY|CONTEXT)_\w+|ERR_OSSL\w*)$/)
        // A certificate with another bit in its signature is one all the same. One that is refused changes nothing.
        const shown = context.certificates[0]?.certificate
        if (outcome !== 'reloaded') expect(shown?.equals(served)).toBe(true)
        served = shown ?? served
      }
      writeFileSync(path, whole)
      await context.reload()
      served = pair.certificate
      expect(context.certificates[0]?.certificate.equals(served)).toBe(true)
    }
  })
})
