import ts from 'typescript'
import { expect, it } from 'vitest'
import { type Export, PublicApi } from '../support/public-api.ts'

// Whoever looks something up in an editor wants to see it used. That the examples compile is seen to elsewhere.

const hasExample = (node: ts.Node): boolean => ts.getJSDocTags(node).some((tag) => tag.tagName.text === 'example')

/** Of a class, an example at its constructor or at what makes one will do. */
function isShown({ symbol }: Export): boolean {
  return (symbol.declarations ?? []).some(
    (declaration) => hasExample(declaration) || (ts.isClassLike(declaration) && declaration.members.some(hasExample)),
  )
}

/** Classes that nobody makes by `new`, or that are of use to another only: shown where their maker or user is. */
const SHOWN_AT: Readonly<Record<string, string>> = {
  Connection: 'ClientTLS',
  Crl: 'CertificateAuthority',
  DistinguishedName: 'Certificate',
  Peer: 'testPeer',
  RequestTarget: 'parseTarget',
  ServerCertificateChain: 'ServerTLS',
  SingleClientCertificate: 'ClientTLS',
  TLSDuplex: 'tlsDuplex',
  VerifiedPeer: 'connect',
}

it('every function and every class that can be imported, errors apart, has an example', () => {
  const api = new PublicApi()
  const isError = ({ symbol }: Export): boolean =>
    api.checker.getDeclaredTypeOfSymbol(symbol).getProperty('stack') !== undefined
  const wanted = api.exports.filter(
    (each) => (each.symbol.flags & (ts.SymbolFlags.Function | ts.SymbolFlags.Class)) !== 0 && !isError(each),
  )
  expect(wanted.length).toBeGreaterThan(100)
  const without = new Set(wanted.filter((each) => !isShown(each)).map(({ name }) => name))
  expect([...without].toSorted()).toEqual(Object.keys(SHOWN_AT))
  // Where they are shown instead there has to be something.
  const shown = new Set(wanted.filter(isShown).map(({ name }) => name))
  expect(Object.values(SHOWN_AT).filter((name) => !shown.has(name))).toEqual([])
}, 300_000)
