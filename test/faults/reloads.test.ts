// What is read again while a program runs: lists of addresses, certificates of a server. A reading that fails changes
// nothing, says what is wrong with which file, and the next one that is in order takes effect.

import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { generateSelfSignedCertificate } from '../../src/certificate/generate.ts'
import { saveCertificateFiles } from '../../src/certificate/save.ts'
import { TlacacocaError } from '../../src/errors.ts'
import { AccessControl } from '../../src/middleware/access-control.ts'
import { loadAddressList } from '../../src/middleware/address-list.ts'
import { parseClientAddress } from '../../src/names/client-address.ts'
import { createServer } from '../../src/tls/server.ts'
import { createServerContext } from '../../src/tls/server-context.ts'
import { type Fault, withFault } from '../support/fault-points.ts'
import { codeOf } from '../support/fault-stores.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { visit } from '../support/tls-clients.ts'

const bad = parseClientAddress('192.0.2.7')
const good = parseClientAddress('198.51.100.7')

describe('a list of addresses', () => {
  async function guarded() {
    const folder = join(await temporaryFolder(), 'lists')
    mkdirSync(folder)
    const path = join(folder, 'drop.txt')
    writeFileSync(path, '192.0.2.0/24\n203.0.113.0/24\n')
    const load = () => loadAddressList(path, { minEntries: 2 })
    const access = new AccessControl({ denyLists: { drop: await load() } })
    const reload = async () => access.replace({ denyLists: { drop: await load() } })
    return { folder, path, access, reload }
  }

  const FAULTS: Readonly<Record<string, (at: { folder: string; path: string }) => void>> = {
    'is gone': ({ path }) => rmSync(path),
    'is in a folder that is gone': ({ folder }) => renameSync(folder, `${folder}.away`),
    'is empty': ({ path }) => writeFileSync(path, ''),
    'is cut off in a line': ({ path }) => writeFileSync(path, '192.0.2.0/24\n203.0.11'),
    'is cut off at the end of a line': ({ path }) => writeFileSync(path, '192.0.2.0/24\n'),
    'has a byte that is another': ({ path }) => writeFileSync(path, '192.0.2.0/24\n203.0.113.0/2x\n'),
    'is full of zeros': ({ path }) => writeFileSync(path, Buffer.alloc(4096)),
    'is a page that says that there is none': ({ path }) => writeFileSync(path, '<html>404 Not Found</html>\n'),
    'is a folder': ({ path }) => {
      rmSync(path)
      mkdirSync(path)
    },
    'is a link that leads nowhere': ({ path, folder }) => {
      rmSync(path)
      symlinkSync(join(folder, 'nowhere'), path)
    },
    'is a link to itself': ({ path }) => {
      rmSync(path)
      symlinkSync(path, path)
    },
  }

  it.each(Object.keys(FAULTS))('that %s leaves the one in force', async (fault) => {
    const { folder, path, access, reload } = await guarded()
    FAULTS[fault]?.({ folder, path })
    await expect(reload()).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_TLACACOCA_(FILE_NOT_FOUND|FILE_UNREADABLE|ADDRESS_LIST_INVALID)$/),
      message: expect.stringContaining(path),
    })
    expect(access.opened(bad).accept).toBe(false)
    expect(access.opened(good).accept).toBe(true)
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder)
    writeFileSync(path, '198.51.100.0/24\n203.0.113.0/24\n')
    await reload()
    expect([bad, good].map((each) => access.opened(each).accept)).toEqual([true, false])
  })

  it.each(['EIO', 'EMFILE'] as const satisfies Fault[])(
    'is whole or not there, with %s at each call',
    async (fault) => {
      const { access, reload, path } = await guarded()
      writeFileSync(path, '198.51.100.0/24\n203.0.113.0/24\n')
      let at = 0
      for (; ; at++) {
        const { ended, call } = await withFault(at, fault, reload)
        if (call === null) break
        expect(ended).toMatchObject({ kind: 'failed', error: { code: 'ERR_TLACACOCA_FILE_UNREADABLE' } })
        expect(access.opened(bad).accept).toBe(false)
      }
      expect(at).toBeGreaterThan(1)
      expect([bad, good].map((each) => access.opened(each).accept)).toEqual([true, false])
    },
  )
})

describe('the certificate of a server', () => {
  async function serving() {
    const folder = join(await temporaryFolder(), 'tls')
    const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    const paths = { certFile: certFile, keyFile: keyFile, overwrite: true }
    const first = await generateSelfSignedCertificate({ hostname: 'example.org' })
    await saveCertificateFiles(first, paths)
    const context = await createServerContext({ certificates: [{ certFile, keyFile }] })
    const server = createServer(context, ({ stream }) => void stream.end('hello'))
    onTestFinished(() => server.close({ graceMs: 0 }))
    const { port } = await server.listen(0, '127.0.0.1')
    const shown = async () => (await visit(port)).server
    return { folder, certFile, keyFile, paths, first, context, shown }
  }

  const FAULTS: Readonly<Record<string, (at: { folder: string; certFile: string; keyFile: string }) => void>> = {
    'is in a folder that is gone': ({ folder }) => renameSync(folder, `${folder}.away`),
    'is without its key': ({ keyFile }) => rmSync(keyFile),
    'is a folder': ({ certFile }) => {
      rmSync(certFile)
      mkdirSync(certFile)
    },
    'has a key that is a link to itself': ({ keyFile }) => {
      rmSync(keyFile)
      symlinkSync(keyFile, keyFile)
    },
    'is empty': ({ certFile }) => writeFileSync(certFile, ''),
    'has an empty key': ({ keyFile }) => writeFileSync(keyFile, ''),
  }

  it.each(Object.keys(FAULTS))('that %s stays the one that is shown', async (fault) => {
    const { folder, certFile, keyFile, paths, first, context, shown } = await serving()
    FAULTS[fault]?.({ folder, certFile, keyFile })
    const failure: unknown = await context.reload().catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(TlacacocaError)
    expect(codeOf(failure)).toMatch(/^ERR_TLACACOCA_(FILE|CERTIFICATE|KEY|CHAIN)_/)
    expect(String(failure)).toContain(folder)
    expect(await shown()).toBe(first.fingerprint)
    rmSync(folder, { recursive: true, force: true })
    const next = await generateSelfSignedCertificate({ hostname: 'example.org' })
    await saveCertificateFiles(next, paths)
    chmodSync(keyFile, 0o600)
    await context.reload()
    expect(await shown()).toBe(next.fingerprint)
  })

  it.each(['EIO', 'EMFILE'] as const satisfies Fault[])('is not half replaced, with %s at each call', async (fault) => {
    const { paths, first, context, shown } = await serving()
    const next = await generateSelfSignedCertificate({ hostname: 'example.org' })
    await saveCertificateFiles(next, paths)
    let at = 0
    for (; ; at++) {
      const { ended, call } = await withFault(at, fault, () => context.reload())
      if (call === null) break
      expect(ended).toMatchObject({ kind: 'failed', error: { code: 'ERR_TLACACOCA_FILE_UNREADABLE' } })
      expect(context.certificates[0]?.certificate.fingerprint).toBe(first.fingerprint)
    }
    expect(at).toBeGreaterThan(3)
    expect(await shown()).toBe(next.fingerprint)
  })
})
