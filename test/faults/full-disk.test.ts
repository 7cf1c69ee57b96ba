// A disk that is really full, for everything that is stored: what was there is there, what could not be stored is an error
// and not half there, nothing is left lying about, and it all works again when there is room.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createAuthorityDirectory, openAuthorityDirectory } from '../../src/authority/identity-directory.ts'
import { generateSelfSignedCertificate } from '../../src/certificate/generate.ts'
import { loadPrivateKey } from '../../src/certificate/private-key.ts'
import { saveCertificateFiles } from '../../src/certificate/save.ts'
import { signKnownHosts } from '../../src/tofu/signed-list.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import { codeOf, KINDS, openStore } from '../support/fault-stores.ts'
import { mayMount, smallDisk } from '../support/small-disk.ts'

const described = mayMount() ? describe : describe.skip

const FULL = /^ERR_TLACACOCA_(STORE_FULL|FILE_UNWRITABLE)$/

described.each(KINDS)('on a full disk, %s', (kind) => {
  it('keep what is there, refuse what is new, and go on when there is room', async () => {
    const disk = await smallDisk(2 * 1024 * 1024)
    const store = await openStore(disk.folder, kind)
    onTestFinished(() => store.close())
    for (let n = 0; n < 3; n++) await store.write(n)
    disk.fill()
    // There may be some room in the log that SQLite has taken before.
    let next = 3
    let failure: unknown = null
    for (; failure === null && next < 300; next++) failure = await store.write(next).then(() => null, codeOf)
    expect(failure).toMatch(FULL)
    const refused = next - 1
    for (let n = 0; n < refused; n++) expect(await store.look(n)).toBe('there')
    expect(await store.look(refused)).toBe('absent')

    // Somebody who comes now finds the same, or an error that says why not.
    const found = await openStore(disk.folder, kind).then(async (other) => {
      const answer = await other.look(0)
      await other.close()
      return answer
    }, codeOf)
    expect(found).toMatch(/^(there|ERR_TLACACOCA_STORE_FULL)$/)
    disk.free()
    await store.write(refused)
    await store.close()
    const again = await openStore(disk.folder, kind)
    onTestFinished(() => again.close())
    for (let n = 0; n <= refused; n++) expect(await again.look(n)).toBe('there')
    expect(leftovers(disk.folder)).toEqual([])
  })

  it('are not begun, and leave nothing', async () => {
    const disk = await smallDisk()
    disk.fill()
    const begun = await openStore(disk.folder, kind)
      .then(async (store) => {
        try {
          return await store.write(0)
        } finally {
          await store.close()
        }
      }, Promise.reject.bind(Promise))
      .then(() => 'begun', codeOf)
    expect(begun).toMatch(FULL)
    expect(leftovers(disk.folder)).toEqual([])
    disk.free()
    const store = await openStore(disk.folder, kind)
    onTestFinished(() => store.close())
    await store.write(0)
    expect(await store.look(0)).toBe('there')
  })
})

described('on a full disk', () => {
  it('a file that was exported, signed or saved before is as it was, and none is left half written', async () => {
    const disk = await smallDisk()
    const at = (name: string) => join(disk.folder, name)
    const pins = TofuStore.inMemory()
    const pair = await generateSelfSignedCertificate({ hostname: 'example.org' })
    const privateKey = await loadPrivateKey(pair.privateKeyPem)
    const { endpointFrom } = await import('../../src/names/endpoint.ts')
    for (let n = 0; n < 40; n++) await pins.trust(endpointFrom(`h${n}.example`, 1965), pair.certificate)
    const paths = { certFile: at('cert.pem'), keyFile: at('key.pem') }
    const next = await generateSelfSignedCertificate({ hostname: 'example.org' })
    const writes = {
      'a TOML export': () => pins.exportToml(at('pins.toml'), { overwrite: true }),
      'known hosts': () => pins.exportKnownHosts(at('known'), { format: 'gmni', update: true }),
      'a signature': () => signKnownHosts(at('pins.toml'), { privateKey, overwrite: true }),
      'a certificate and its key': () => saveCertificateFiles(next, { ...paths, overwrite: true }),
    }
    await saveCertificateFiles(pair, paths)
    for (const write of [writes['a TOML export'], writes['known hosts'], writes['a signature']]) await write()
    writeFileSync(at('known'), `# mine\n${readFileSync(at('known'), 'utf8')}`)
    await pins.trust(endpointFrom('late.example', 1965), pair.certificate)
    const contents = () =>
      Object.fromEntries(
        readdirSync(disk.folder)
          .filter((name) => name !== 'filler')
          .map((name) => [name, readFileSync(at(name), 'utf8')]),
      )
    const before = contents()
    disk.fill()
    for (const [what, write] of Object.entries(writes)) {
      await expect(write(), what).rejects.toMatchObject({
        code: 'ERR_TLACACOCA_FILE_UNWRITABLE',
        message: expect.stringMatching(/^cannot write .*: ENOSPC: no space left on device$/),
      })
    }
    expect(contents()).toEqual(before)
    disk.free()
    for (const write of Object.values(writes)) await write()
    expect(readFileSync(at('known'), 'utf8')).toMatch(/^# mine\n[\s\S]*late\.example/)
    expect(readFileSync(at('cert.pem'), 'utf8')).toBe(next.certificatePem)
  })

  it('an authority is not created half, and one that is there is opened', async () => {
    const disk = await smallDisk()
    const options = { subject: [['CN', 'ca.example']] as const, dangerouslyUnencrypted: true }
    const [first, second] = [join(disk.folder, 'a'), join(disk.folder, 'b')]
    const { certificate } = await createAuthorityDirectory(first, { ...options, subject: [['CN', 'ca.example']] })
    disk.fill()
    await expect(
      createAuthorityDirectory(second, { ...options, subject: [['CN', 'ca.example']] }),
    ).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNWRITABLE' })
    expect(leftovers(disk.folder)).toEqual([])
    expect((await openAuthorityDirectory(first)).certificate.fingerprint).toBe(certificate.fingerprint)
    await expect(openAuthorityDirectory(second)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_NOT_FOUND' })
    disk.free()
    await createAuthorityDirectory(second, { ...options, subject: [['CN', 'ca.example']] })
  })
})

/** Temporary files anywhere below a folder. */
function leftovers(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.tmp'))
}
