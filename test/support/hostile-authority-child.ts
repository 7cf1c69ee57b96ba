// An authority in a process of its own, which is sent every request with a key that is refused: some of them would end the
// process if they reached OpenSSL. Prints what became of each as JSON on one line, and last whether it still signs.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CertificateAuthority } from '../../src/authority/certificate-authority.ts'
import { createAuthorityHandler } from '../../src/authority/http/handler.ts'
import { nodeListener } from '../../src/authority/http/node-listener.ts'
import { TlacacocaError } from '../../src/errors.ts'
import { craftRequest, hostileRequests } from './hostile-requests.ts'

const [folder = ''] = process.argv.slice(2)
const authority = await CertificateAuthority.open(folder)
const limiter = { take: () => ({ allowed: true }) as const }
const handler = createAuthorityHandler(authority, { dangerouslySignEveryRequest: true, limiter })
const server = createServer(nodeListener(handler))
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const { port } = server.address() as AddressInfo

for (const { name, der, code } of hostileRequests) {
  if (code === 'ERR_TLACACOCA_CSR_KEY_REFUSED') print([name, await sign(der), await put(der)])
}
print(['alive', await sign(craftRequest()), await put(craftRequest())])
server.closeAllConnections()
server.close()
await authority.close()

async function sign(request: Uint8Array): Promise<string> {
  try {
    await authority.sign({ request })
    return 'signed'
  } catch (error) {
    return error instanceof TlacacocaError ? error.code : String(error)
  }
}

async function put(request: Uint8Array): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/api/csr/f00d`, {
    method: 'PUT',
    headers: { 'content-type': 'application/pkcs10' },
    body: Buffer.from(request),
  })
  await response.arrayBuffer()
  return response.status
}

function print(row: readonly unknown[]): void {
  process.stdout.write(`${JSON.stringify(row)}\n`)
}
