// Links certificates to one account without a pause until it is killed, and prints how many are on the disk: each new one
// by a code in the place of the one before, `done <n>` after each.
//
//   identity-writing-child <database>

import { IdentityRegistry } from '../../src/identity/registry/identity-registry.ts'
import { issue } from './issued-certificates.ts'
import { fakePeer } from './peer.ts'

const [path = ''] = process.argv.slice(2)
const registry = await IdentityRegistry.open({
  path,
  origin: 'example.org:1965',
  limiter: { take: () => ({ allowed: true }) },
})
let peer = fakePeer(issue({ subject: 'ana' }).certificate)
await registry.register(peer, { handle: `ana-${process.pid}` })
console.log('registered')

for (let n = 0; ; n++) {
  const next = fakePeer(issue({ subject: 'ana' }).certificate)
  const { code } = await registry.createLinkCode(peer, { kind: 'replace' })
  await registry.redeemLinkCode(next, code)
  await registry.resolve(next)
  peer = next
  console.log(`done ${n}`)
}
