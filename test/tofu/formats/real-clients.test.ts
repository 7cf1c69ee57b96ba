// Amfora and Bombadillo themselves, where they are installed: what they write is read, and what is written they read.

import { mkdirSync, readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { endpointFrom } from '../../../src/names/endpoint.ts'
import { TofuStore } from '../../../src/tofu/tofu-store.ts'
import { type TestCertificate, testCertificate } from '../../support/certificates.ts'
import { hasProgram } from '../../support/field-program.ts'
import { HAS_PSEUDO_TERMINALS, runInTerminal } from '../../support/pseudo-terminal.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const isInstalled = (name: string): boolean => HAS_PSEUDO_TERMINALS && hasProgram(name, ['-v'])
const mine = await testCertificate({ host: '127.0.0.1' })
const other = await testCertificate({ host: '127.0.0.1' })

/** A server that shows one page, and its port. */
async function serve({ certPem, keyPem }: TestCertificate, port = 0): Promise<number> {
  const server = createServer({ cert: certPem, key: keyPem }, (socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end('20 text/gemini\r\n# The page itself\n'))
  })
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

async function home(): Promise<{ folder: string; env: NodeJS.ProcessEnv }> {
  const folder = await temporaryFolder()
  const env = {
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, 'config'),
    XDG_CACHE_HOME: join(folder, 'cache'),
    XDG_DATA_HOME: join(folder, 'data'),
    // To one called xterm, it would first send questions that nobody answers here.
    TERM: 'screen-256color',
  }
  for (const name of ['config', 'cache', 'data']) mkdirSync(join(folder, name))
  return { folder, env }
}

describe.skipIf(!isInstalled('amfora'))('Amfora', () => {
  async function open(port: number, env: NodeJS.ProcessEnv, until: string): Promise<string> {
    const { screen } = await runInTerminal(['amfora', `gemini://127.0.0.1:${port}/`], [], {
      env,
      signalAfter: { text: until, signal: 'SIGTERM' },
    })
    return screen
  }

  it('has its own store read, and reads what was written for it', async () => {
    const port = await serve(mine)
    const { folder, env } = await home()
    const store = join(folder, 'cache', 'amfora', 'tofu.toml')
    expect(await open(port, env, 'The page itself')).toContain('The page itself')

    const endpoint = endpointFrom('127.0.0.1', port)
    const known = TofuStore.inMemory()
    expect(await known.importKnownHosts(store)).toMatchObject({ format: 'amfora', added: 1, problems: [], remarks: [] })
    expect(await known.judge(endpoint, mine.certificate)).toMatchObject({ kind: 'trusted', reason: 'pinned_key' })
    expect(await known.judge(endpoint, other.certificate)).toMatchObject({ kind: 'changed', reason: 'early' })
    expect(await known.getHostInfo(endpoint)).toMatchObject({ notAfter: mine.certificate.notAfter })

    // Its own file says all that there is to say.
    const before = readFileSync(store, 'utf8')
    await known.verify(endpoint, mine.certificate)
    await known.exportKnownHosts(store, { format: 'amfora', update: true })
    expect(readFileSync(store, 'utf8')).toBe(before)

    const written = TofuStore.inMemory()
    await written.trust(endpoint, other.certificate)
    for (const how of [{ update: true }, { overwrite: true }]) {
      await written.exportKnownHosts(store, { format: 'amfora', ...how })
      const screen = await open(port, env, 'certificate')
      expect(screen).toContain('certificate')
      expect(screen).not.toContain('The page itself')
    }
  }, 120_000)
})

describe.skipIf(!isInstalled('bombadillo'))('Bombadillo', () => {
  it('has its own store recognised, and every entry of it refused', async () => {
    const port = await serve(mine)
    const { folder, env } = await home()
    // It breaks lines at the width of the terminal, which is nothing before somebody sets it.
    const command = `stty rows 24 cols 80; exec bombadillo gemini://127.0.0.1:${port}/`
    await runInTerminal(['sh', '-c', command], [], {
      env,
      signalAfter: { text: 'The page itself', signal: 'SIGINT' },
    })
    const store = join(folder, 'config', '.bombadillo.ini')
    const known = TofuStore.inMemory()
    const done = await known.importKnownHosts(store, { skipUnusable: true })
    expect(done).toMatchObject({ format: 'bombadillo', added: 0 })
    expect(done.problems).toEqual([{ line: expect.any(Number), column: 11, message: expect.stringContaining('SHA-1') }])
  }, 120_000)
})
