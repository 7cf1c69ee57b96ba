// Does what it is told with a registry, many times at once, and prints what came of it: `<outcome> <times>, ...`.
//
//   identity-race-child <database> <certificate>
//
// Reads lines: `redeem <code>` and `register <handle>`, each by fifteen strangers; `revoke <credential>` as the holder of
// the certificate.

import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { IdentityRegistry } from '../../src/identity/registry/identity-registry.ts'
import { issue } from './issued-certificates.ts'
import { fakePeer } from './peer.ts'

const [path = '', file = ''] = process.argv.slice(2)
const own = fakePeer(readFileSync(file))
const registry = await IdentityRegistry.open({ path, origin: 'example.org:1965' })
console.log('ready')

async function outcomeOf(act: Promise<unknown>): Promise<string> {
  try {
    await act
    return 'done'
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : `failed: ${error}`
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const [what, word = ''] = line.split(' ')
  // Every round has certificates of its own.
  const peers = Array.from({ length: 15 }, () => fakePeer(issue({ subject: 'stranger' }).certificate))
  const acts =
    what === 'redeem'
      ? peers.map((peer) => registry.redeemLinkCode(peer, word))
      : what === 'register'
        ? peers.map((peer) => registry.register(peer, { handle: word }))
        : [registry.revoke(own, word)]
  const counts = new Map<string, number>()
  for (const outcome of await Promise.all(acts.map(outcomeOf))) counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
  console.log(JSON.stringify(Object.fromEntries(counts)))
}
await registry.close()
