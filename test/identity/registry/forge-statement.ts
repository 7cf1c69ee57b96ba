import { type KeyObject, sign } from 'node:crypto'

/** Signs any payload as a rotation statement, without looking at it. */
export function forgeStatement(payload: Uint8Array, key: KeyObject): string {
  const domain = Buffer.from('tlacacoca identity rotation statement, version 1\0', 'latin1')
  const signature = sign(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', Buffer.concat([domain, payload]), key)
  return `rotation1.${Buffer.from(payload).toString('base64url')}.${signature.toString('base64url')}`
}
