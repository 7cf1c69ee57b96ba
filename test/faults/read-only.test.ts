// A file system that is mounted read-only: what is there is known, nothing is changed, and nobody new is let in. Unlike
// permissions, it holds for root too.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createAuthorityDirectory, openAuthorityDirectory } from '../../src/authority/identity-directory.ts'
import { generateSelfSignedCertificate } from '../../src/certificate/generate.ts'
import { saveCertificateFiles } from '../../src/certificate/save.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import { codeOf, KINDS, openStore } from '../support/fault-stores.ts'
import { mayMount, smallDisk } from '../support/small-disk.ts'

const described = mayMount() ? describe : describe.skip

const READ_ONLY = /^ERR_TLACACOCA_(STORE_READ_ONLY|FILE_UNWRITABLE)$/

described.each(KINDS)('where the file system is read-only, %s', (kind) => {
  it('tell what is there, refuse what is new, and are as they were', async () => {
    const disk = await smallDisk()
    const before = await openStore(disk.folder, kind)
    for (let n = 0; n < 3; n++) await before.write(n)
    await before.close()
    const names = readdirSync(disk.folder, { recursive: true })
    disk.readOnly(true)
    const store = await openStore(disk.folder, kind)
    for (let n = 0; n < 3; n++) expect(await store.look(n)).toBe('there')
    expect(await store.write(3).then(() => 'written', codeOf)).toMatch(READ_ONLY)
    expect(await store.look(3)).toBe('absent')
    await store.close()
    expect(readdirSync(disk.folder, { recursive: true })).toEqual(names)
    disk.readOnly(false)
    const after = await openStore(disk.folder, kind)
    onTestFinished(() => after.close())
    await after.write(3)
    for (let n = 0; n < 4; n++) expect(await after.look(n)).toBe('there')
  })

  it('are not begun', async () => {
    const disk = await smallDisk()
    disk.readOnly(true)
    const begun = openStore(disk.folder, kind).then((store) => store.write(0).finally(() => store.close()))
    expect(await begun.then(() => 'begun', codeOf)).toMatch(READ_ONLY)
    expect(readdirSync(disk.folder)).toEqual([])
  })
})

described('where the file system is read-only', () => {
  it('files are not written, an authority is not made, and both are read', async () => {
    const disk = await smallDisk()
    const at = (name: string) => join(disk.folder, name)
    const subject = [['CN', 'ca.example']] as const
    const authority = { subject: [...subject], dangerouslyUnencrypted: true }
    await createAuthorityDirectory(at('ca'), authority)
    const pair = await generateSelfSignedCertificate({ hostname: 'example.org' })
    const paths = { certFile: at('cert.pem'), keyFile: at('key.pem'), overwrite: true }
    await saveCertificateFiles(pair, paths)
    const pins = TofuStore.inMemory()
    disk.readOnly(true)
    const unwritable = { code: 'ERR_TLACACOCA_FILE_UNWRITABLE', message: expect.stringContaining('EROFS') }
    await expect(saveCertificateFiles(pair, paths)).rejects.toMatchObject(unwritable)
    await expect(pins.exportToml(at('pins.toml'))).rejects.toMatchObject(unwritable)
    await expect(pins.exportKnownHosts(at('known'), { format: 'gmni' })).rejects.toMatchObject(unwritable)
    await expect(createAuthorityDirectory(at('other'), authority)).rejects.toMatchObject({ code: unwritable.code })
    expect((await openAuthorityDirectory(at('ca'))).path).toBe(at('ca'))
    expect(readFileSync(at('cert.pem'), 'utf8')).toBe(pair.certificatePem)
    disk.readOnly(false)
    expect(readdirSync(disk.folder).sort()).toEqual(['ca', 'cert.pem', 'key.pem'])
  })
})
