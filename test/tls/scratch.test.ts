import { expect, it } from 'vitest'
import { createServerContext } from '../../src/tls/server-context.ts'
import { createServer } from '../../src/tls/server.ts'
import { forgeCertificate } from '../support/forged-certificates.ts'
import { visit, openssl } from '../support/tls-clients.ts'

it('works', async () => {
  const own = forgeCertificate({ hosts: ['localhost'] })
  const rsa = forgeCertificate({ hosts: ['rsa.example'], key: 'RSA-2048' })
  const ed = forgeCertificate({ hosts: ['ed.example'], key: 'Ed25519' })
  const root = forgeCertificate({ commonName: 'root', ca: true })
  const int = forgeCertificate({ commonName: 'int', ca: true, issuer: root })
  const leaf = forgeCertificate({ commonName: 'leaf', issuer: int, usage: 'clientAuth' })
  for (const certs of [[own],[own,rsa,ed]])
  for (const clientCertificates of ['request', { trustedAuthorities: [root.certificate] }] as const)
  for (const unknownServerName of ['default', 'refuse'] as const) {
    const context = await createServerContext({ certificates: certs.map(c => ({ cert: c.certPem, key: c.keyPem })), clientCertificates, unknownServerName })
    const out: unknown[] = []
    const server = createServer(context, ({stream, address, peer, serverName}) => {
      stream.end(`${address} ${serverName} ${peer?.certificate.subject} ${peer?.chain.length} ${peer?.issuance} ${peer?.issuanceProblem}`)
    }, { onEvent: (e) => out.push(e) })
    const { port } = await server.listen(0, '127.0.0.1')
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const v = await visit(port, { maxVersion, cert: leaf.certPem + int.certPem, key: leaf.keyPem })
      out.push(v.text, v.error)
      for (const servername of ['nowhere.example', 'rsa.example', 'ed.example']) {
        const v = await visit(port, { maxVersion, servername })
        out.push([servername, v.text, v.error, certs.map(c => c.certificate.fingerprint).indexOf(v.server as never)])
      }
    }
    console.log(certs.length, unknownServerName, out)
    console.log(server.connections)
    await server.close()
  }
})
