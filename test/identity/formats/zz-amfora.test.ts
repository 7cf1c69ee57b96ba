import { it } from 'vitest'
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:tls'
import { testCertificate } from '/work/main/test/support/certificates.ts'
import { madeIdentity } from '/work/main/test/identity/formats/made-identities.ts'
import { writeIdentities } from '/work/main/src/identity/formats/write-identities.ts'

it('amfora', { timeout: 60000 }, async () => {
  const own = await testCertificate({ host: 'localhost' })
  const ana = await madeIdentity('Ana')
  const log: string[] = []
  const server = createServer({ cert: own.certPem, key: own.keyPem, requestCert: true, rejectUnauthorized: false }, (s) => {
    s.on('error', () => {})
    s.once('data', (d) => {
      log.push(`${String(d).trim()} -> ${(s.getPeerCertificate() as any).fingerprint256 ?? 'none'}`)
      s.end('20 text/gemini\r\n# hi\n')
    })
  })
  await new Promise<void>((r) => server.listen(0, '127.0.0.1', r))
  const { port } = server.address() as any
  const base = '/tmp/fmt-amfora/run' + Date.now()
  mkdirSync(base + '/config/amfora', { recursive: true })
  const { problems } = await writeIdentities([{ certificate: ana.certificate, privateKey: ana.privateKey, scopes: [`gemini://localhost:${port}/club/`] }], { format: 'amfora', directory: base + '/ids' })
  console.log(problems, readFileSync(base + '/ids/amfora.toml', 'utf8'))
  writeFileSync(base + '/config/amfora/config.toml', readFileSync(base + '/ids/amfora.toml', 'utf8'))
  for (const path of ['/club/x', '/clubhouse', '/club', '/']) {
    const p = spawn('timeout', ['9', 'script', '-qfc', `amfora gemini://localhost:${port}${path}`, base + '/typescript'], { env: { ...process.env, XDG_CONFIG_HOME: base + '/config', XDG_DATA_HOME: base + '/data', XDG_CACHE_HOME: base + '/cache', TERM: 'xterm', HOME: base }, stdio: ['pipe', 'ignore', 'ignore'] })
    setTimeout(() => p.stdin.write('\x1b]11;rgb:0000/0000/0000\x1b\\\x1b[1;1R'), 700); await new Promise((r) => p.on('exit', r))
  }
  console.log(log.join('\n'), '\nana', ana.hex)
  server.close()
})
