import { describe, expect, it } from 'vitest'
import type { KeyedChain } from '../../../src/certificate/keyed-chain.ts'
import { InvalidatedError, NoCertificateChainError } from '../../../src/errors.ts'
import {
  type CertificateAuthorityName,
  ClientCertificateStore,
  chainForAuthorities,
  IssuerClientCertificates,
  requireClientCertificateStore,
  SingleClientCertificate,
} from '../../../src/tls/sans-io/client-certificate-store.ts'
import { family } from '../../support/chain-fixtures.ts'
import { name } from '../../support/crafted-certificates.ts'
import { issue } from '../../support/issued-certificates.ts'
import { clientChainOf } from '../../support/sans-io.ts'

type Answer = (chain: KeyedChain | null) => void

const work = family({ root: { subject: 'work' }, middle: { subject: 'staff' }, leaf: { subject: 'ana', names: [] } })
const home = family({ root: { subject: 'home' }, middle: { subject: 'kin' }, leaf: { subject: 'ann', names: [] } })
const workChain = clientChainOf(work.leaf, work.middle, work.root)
const homeChain = clientChainOf(home.leaf, home.middle, home.root)
const selfSigned = clientChainOf(issue({ subject: 'me' }))
const [WORK, STAFF, HOME, ELSE] = ['work', 'staff', 'home', 'else'].map((each) => name(each)) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
]

function ask(store: ClientCertificateStore, authorities: readonly Uint8Array[]): KeyedChain | null {
  const chosen = chainForAuthorities(store, authorities)
  if (chosen instanceof Promise) return expect.fail('it took its time')
  return chosen
}

describe('one chain', () => {
  it.each<[string, readonly Uint8Array[], KeyedChain | null]>([
    ['none', [], workChain],
    ['its root', [WORK], workChain],
    ['what is below its root', [STAFF], workChain],
    ['its root among others', [ELSE, WORK], workChain],
    ['others', [ELSE, HOME], null],
    ['itself, which issued nothing', [name('ana')], null],
    ['no names at all', [Buffer.from('junk'), new Uint8Array()], null],
  ])('is for servers that name these authorities: %s', (_, authorities, expected) => {
    expect(ask(new SingleClientCertificate(workChain), authorities)).toBe(expected)
  })

  it('is for servers that name nobody, if nobody issued it', () => {
    const store = new SingleClientCertificate(selfSigned)
    expect(ask(store, [])).toBe(selfSigned)
    expect(ask(store, [WORK])).toBeNull()
    expect(ask(store, [name('me')])).toBe(selfSigned)
  })

  it.each([undefined, null, {}, selfSigned.leaf])('is a chain with its key, and not %s', (given) => {
    expect(() => new SingleClientCertificate(given as KeyedChain)).toThrow(/"chain" expected a KeyedChain/)
  })
})

describe('chains by issuer', () => {
  it.each<[string, readonly Uint8Array[], KeyedChain | null]>([
    ['the one', [WORK], workChain],
    ['the other', [HOME], homeChain],
    ['both: the first', [HOME, WORK], workChain],
    ['nobody they know', [ELSE], null],
    ['nobody', [], null],
  ])('are for servers that name %s', (_, authorities, expected) => {
    expect(ask(new IssuerClientCertificates([workChain, homeChain]), authorities)).toBe(expected)
  })

  it('have a default for servers that name nobody, and for no others', () => {
    const store = new IssuerClientCertificates(new Set([workChain]), { default: selfSigned })
    expect(ask(store, [])).toBe(selfSigned)
    expect(ask(store, [HOME])).toBeNull()
    expect(ask(store, [name('me')])).toBeNull()
  })

  it.each<[string, () => unknown, RegExp]>([
    ['a chain for a list', () => new IssuerClientCertificates(workChain as never), /"chains" expected a list/],
    [
      'a certificate',
      () => new IssuerClientCertificates([workChain.leaf as never]),
      /"chains\[0\]" expected a KeyedChain/,
    ],
    [
      'no default',
      () => new IssuerClientCertificates([], { default: null as never }),
      /"default" expected a KeyedChain/,
    ],
    ['a misspelt option', () => new IssuerClientCertificates([], { fallback: 1 } as never), /no option "fallback"/],
  ])('are refused as misuse: %s', (_, make, message) => {
    expect(make).toThrow(TypeError)
    expect(make).toThrow(message)
  })
})

describe('a store of somebody else', () => {
  class Own extends ClientCertificateStore {
    readonly roots: (readonly CertificateAuthorityName[])[] = []
    readonly #forRoots: (answer: Answer, roots: readonly CertificateAuthorityName[]) => void | Promise<void>
    constructor(forRoots: (answer: Answer, roots: readonly CertificateAuthorityName[]) => void | Promise<void>) {
      super()
      this.#forRoots = forRoots
    }
    override getCertificateChainForRoots(roots: readonly CertificateAuthorityName[], answer: Answer) {
      this.roots.push(roots)
      return this.#forRoots(answer, roots)
    }
    override getDefaultCertificateChain(answer: Answer): void {
      setImmediate(() => answer(homeChain))
    }
  }

  it('is asked for its default if the server names nobody, and may take its time', async () => {
    const own = new Own(() => expect.fail('it was asked for roots'))
    expect(await chainForAuthorities(own, [])).toBe(homeChain)
  })

  it('gets the names as DER and as text', () => {
    const own = new Own((answer) => answer(null))
    const junk = Buffer.from('6a756e6b', 'hex')
    expect(ask(own, [WORK, junk])).toBeNull()
    const [roots] = own.roots
    expect(roots?.map(String)).toEqual(['CN=work', '#6a756e6b'])
    expect(roots?.map(({ der }) => Buffer.from(der))).toEqual([Buffer.from(WORK), junk])
    expect(Object.isFrozen(roots)).toBe(true)
  })

  it.each([
    ['of another issuer', homeChain],
    ['of no issuer', selfSigned],
  ])('cannot answer with a chain %s', (_, chain) => {
    let thrown: unknown
    const own = new Own((answer) => {
      try {
        answer(chain)
      } catch (error) {
        thrown = error
      }
    })
    expect(() => ask(own, [WORK])).toThrow(NoCertificateChainError)
    expect(thrown).toMatchObject({ code: 'ERR_TLACACOCA_CHAIN_INCOMPLETE', subjects: [String(chain.leaf.subject)] })
  })

  it('cannot make such a chain fit by changing the names', () => {
    const own = new Own((answer, roots) => {
      roots[0]?.der.set(HOME)
      answer(homeChain)
    })
    const asked = Uint8Array.from(WORK)
    expect(() => ask(own, [asked])).toThrow(NoCertificateChainError)
    expect(asked).toEqual(Uint8Array.from(WORK))
  })

  it('can answer with the right one, or none, once', async () => {
    const late: Answer[] = []
    const own = new Own((answer) => void late.push(answer))
    const [first, second] = [chainForAuthorities(own, [WORK]), chainForAuthorities(own, [WORK])]
    late[0]?.(workChain)
    late[1]?.(null)
    expect(await Promise.all([first, second])).toEqual([workChain, null])
    for (const answer of late) expect(() => answer(workChain)).toThrow(InvalidatedError)
  })

  it('is whatever has both methods', () => {
    const own = { getCertificateChainForRoots: () => {}, getDefaultCertificateChain: () => {} }
    expect(() => requireClientCertificateStore('store', own)).not.toThrow()
    for (const value of [null, undefined, 1, workChain, { ...own, getDefaultCertificateChain: undefined }]) {
      expect(() => requireClientCertificateStore('store', value)).toThrow(/"store" expected a ClientCertificateStore/)
    }
  })
})
