import { CertificateError } from '../errors.ts'
import { requireList, show } from '../internal/arguments.ts'
import { comparableName } from './distinguished-name.ts'
import { issuerKey } from './issuance.ts'
import { KeyedChain } from './keyed-chain.ts'

/**
 * Whether a chain leads to one of the authorities that a peer asks for by name: whether one of them issued one of its
 * members. Names are compared by RFC 5280 section 7.1, so neither case nor the type of a string matters. They are what
 * somebody claims; whether the chain verifies is for the peer to find out.
 *
 * @internal
 * @param names - Distinguished names in DER, as a CertificateRequest carries them. What cannot be read is nobody's name.
 */
export function chainLeadsTo(chain: KeyedChain, names: Iterable<Uint8Array>): boolean {
  if (!KeyedChain.is(chain)) throw new TypeError(`"chain" expected a KeyedChain, got ${show(chain)}`)
  requireList('names', names)
  const wanted = new Set([...names].flatMap(readable))
  return chain.certificates.some((member) => wanted.has(issuerKey(member)))
}

function readable(name: Uint8Array): string[] {
  try {
    return [comparableName(name, 'the name of an authority')]
  } catch (error) {
    if (error instanceof CertificateError) return []
    /* v8 ignore next -- @preserve only a fault of our own could be another error */
    throw error
  }
}
