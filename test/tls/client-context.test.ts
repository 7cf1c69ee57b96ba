import { generateKeyPairSync } from 'node:crypto'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { encryptPrivateKey } from '../../src/certificate/private-key.ts'
import { endpointFrom } from '../../src/names/endpoint.ts'
import { ClientContext, createClientContext } from '../../src/tls/client-context.ts'
import { connect } from '../../src/tls/connect.ts'
import { dangerouslyAcceptAny } from '../../src/tls/verifiers/dangerously-accept-any.ts'
import { testCertificate } from '../support/certificates.ts'
import { forgeCertificate } from '../support/forged-certificates.ts'
import { issue } from '../support/issued-certificates.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { testServer } from '../support/tls-server.ts'

const PASSPHRASE = 'correct horse battery staple'

describe('createClientContext', () => {
  it('makes a context without an identity from nothing', async () => {
    const context = await createClientContext()
    expect([context.identity, context.minVersion, context.alpn]).toEqual([null, 'TLSv1.2', []])
    expect(ClientContext.is(context)).toBe(true)
    expect(ClientContext.is({ ...context })).toBe(false)
  })

  it.each(['P-256', 'RSA-2048', 'Ed25519'] as const)(
    'shows a server the identity with a %s key, again and again',
    async (key) => {
      const me = forgeCertificate({ commonName: 'me', key })
      const context = await createClientContext({
        identity: { cert: me.certPem, key: me.keyPem },
        minVersion: 'TLSv1.3',
      })
      expect(context.identity?.fingerprint).toBe(me.certificate.fingerprint)
      const server = await testServer({
        onConnection: (socket) => setImmediate(() => socket.end(socket.getPeerCertificate().fingerprint256)),
      })
      for (let round = 0; round < 3; round++) {
        const endpoint = endpointFrom('localhost', server.port)
        const { stream } = await connect({ endpoint, verify: dangerouslyAcceptAny(), context })
        const shown = await text(stream)
        expect(`sha256:${shown.replaceAll(':', '').toLowerCase()}`).toBe(me.certificate.fingerprint)
      }
    },
  )

  it('tells that OpenSSL refuses a key that is too small', async () => {
    const keys = generateKeyPairSync('rsa', { modulusLength: 512 })
    const me = issue({ subject: 'me', key: { ...issue(), keys } })
    const identity = { cert: me.certificate.toPem(), key: keys.privateKey.export({ format: 'pem', type: 'pkcs8' }) }
    const error = await createClientContext({ identity: { ...identity, key: String(identity.key) } }).catch((e) => e)
    expect(error).toMatchObject({
      code: 'ERR_TLACACOCA_CONTEXT_INVALID',
      message: expect.stringMatching(/^OpenSSL refuses the identity: .*too small/),
    })
    expect(error.cause).toBeInstanceOf(Error)
  })

  it('sends the intermediates that stand after the certificate', async () => {
    const root = forgeCertificate({ commonName: 'root', ca: true })
    const authority = forgeCertificate({ commonName: 'ca', ca: true, issuer: root })
    const me = forgeCertificate({ issuer: authority })
    const cert = me.certPem + authority.certPem
    const context = await createClientContext({ identity: { cert, key: me.keyPem }, minVersion: 'TLSv1.3' })
    const server = await testServer({
      onConnection: (socket) =>
        setImmediate(() => socket.end(socket.getPeerCertificate(true).issuerCertificate.fingerprint256)),
    })
    const endpoint = endpointFrom('localhost', server.port)
    const { stream } = await connect({ endpoint, verify: dangerouslyAcceptAny(), context })
    const shown = await text(stream)
    expect(`sha256:${shown.replaceAll(':', '').toLowerCase()}`).toBe(authority.certificate.fingerprint)
  })

  it('reads files, an encrypted key with its passphrase too', async () => {
    const folder = await temporaryFolder()
    const me = await testCertificate()
    const [certFile, keyFile] = [join(folder, 'me.pem'), join(folder, 'me.key')]
    await writeFile(certFile, me.certPem)
    await writeFile(keyFile, await encryptPrivateKey(me.keyPem, { passphrase: PASSPHRASE }))
    const context = await createClientContext({ identity: { certFile, keyFile, passphrase: PASSPHRASE } })
    expect(context.identity?.fingerprint).toBe(me.certificate.fingerprint)
    await expect(createClientContext({ identity: { certFile, keyFile } })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_KEY_PASSPHRASE_REQUIRED',
      message: expect.stringContaining(keyFile),
    })
    const wrong = createClientContext({ identity: { certFile, keyFile, passphrase: 'wrong' } })
    await expect(wrong).rejects.toMatchObject({ code: 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG' })
    const missing = createClientContext({ identity: { certFile: join(folder, 'none'), keyFile } })
    await expect(missing).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_NOT_FOUND' })
    await chmod(keyFile, 0o600)
  })

  it.each([
    { with: 'another key of the same type', key: forgeCertificate().keyPem, code: 'ERR_TLACACOCA_KEY_MISMATCH' },
    {
      with: 'a key of another type',
      key: forgeCertificate({ key: 'RSA-2048' }).keyPem,
      code: 'ERR_TLACACOCA_KEY_MISMATCH',
    },
    { with: 'no key at all', key: '', code: 'ERR_TLACACOCA_KEY_MALFORMED' },
    { with: 'its certificate as the key', key: null, code: 'ERR_TLACACOCA_KEY_MALFORMED' },
  ])('refuses a certificate with $with', async ({ key, code }) => {
    const me = forgeCertificate()
    const identity = { cert: me.certPem, key: key ?? me.certPem }
    await expect(createClientContext({ identity })).rejects.toMatchObject({ code })
  })

  it.each([
    { cert: '', what: 'nothing' },
    { cert: 'hello', what: 'other text' },
    { cert: forgeCertificate().keyPem, what: 'a key', code: 'ERR_TLACACOCA_CHAIN_EXTRANEOUS_KEY' },
  ])('refuses $what for a certificate', async ({ cert, code = 'ERR_TLACACOCA_CERTIFICATE_MALFORMED' }) => {
    const identity = { cert, key: forgeCertificate().keyPem }
    await expect(createClientContext({ identity })).rejects.toMatchObject({ code })
  })

  it('refuses a key on a curve that TLS cannot carry', async () => {
    const me = await testCertificate({ key: 'secp256k1' })
    await expect(createClientContext({ identity: { cert: me.certPem, key: me.keyPem } })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_CONTEXT_INVALID',
    })
  })

  it('never shows a key in an error', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const key = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
    const secret = key.split('\n')[1] ?? ''
    const me = forgeCertificate()
    for (const identity of [
      { cert: me.certPem, key },
      { cert: key, key },
      { certFile: key, keyFile: key },
    ]) {
      const error = await createClientContext({ identity }).catch((caught: unknown) => caught)
      const causes = (error as { cause?: unknown }).cause
      // A path is shown, and whoever gives a key as a path has said what it is.
      if (!('certFile' in identity)) expect(`${error} ${causes} ${JSON.stringify(error)}`).not.toContain(secret)
    }
  })

  it.each([
    { options: null, message: '"options" expected an object' },
    { options: { ciphers: 'ALL' }, message: '"options" has no option "ciphers"' },
    { options: { minVersion: 'TLSv1.1' }, message: '"minVersion" expected one of' },
    { options: { alpn: 'gemini' }, message: '"alpn" expected a list' },
    { options: { alpn: [''] }, message: '"alpn[0]" expected 1 to 255 bytes' },
    {
      options: { alpn: Array(33).fill('x'.repeat(255)) },
      message: '"alpn" expected at most 8192 bytes in all, got 8448',
    },
    { options: { identity: 'me.pem' }, message: '"identity" expected an object' },
    { options: { identity: { cert: 'x' } }, message: '"identity.key" expected a string' },
    { options: { identity: { certFile: 'x', key: 'y' } }, message: '"identity" has no option "key"' },
    { options: { identity: { cert: 'x', key: 'y', passphrase: 5 } }, message: '"identity.passphrase" expected' },
  ])('refuses $options by name', async ({ options, message }) => {
    const attempt = createClientContext(options as unknown as Parameters<typeof createClientContext>[0])
    await expect(attempt).rejects.toThrow(message)
  })
})
