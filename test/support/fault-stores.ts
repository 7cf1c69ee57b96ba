// The stores that faults are tried on, all by the same questions. What is put into them follows from a number, so that
// several processes know the same things without telling one another.

import { join } from 'node:path'
import { SqliteIssuedStore } from '../../src/authority/sqlite-issued-store.ts'
import type { Certificate } from '../../src/certificate/certificate.ts'
import { IdentityRegistry } from '../../src/identity/registry/identity-registry.ts'
import { IdentityWallet } from '../../src/identity/wallet/identity-wallet.ts'
import { type Endpoint, endpointFrom } from '../../src/names/endpoint.ts'
import { issue, prepare, START, statusOf } from '../../src/testing/contract-issued.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import { fakePeer } from './peer.ts'

export type StoreKind = 'pins' | 'users' | 'issued' | 'wallet'

/** A store that is open. */
export interface OpenStore {
  /** Puts in what goes by this number; fulfilled when it is done for good. */
  write(n: number): Promise<unknown>
  /** Whether it is there. What is stored is never `absent`; where the store cannot tell, it throws. */
  look(n: number): Promise<'there' | 'absent'>
  close(): Promise<void>
}

export interface OpenOptions {
  readonly lockTimeoutMs?: number
}

/** The stores that are one SQLite file. */
export const SQLITE_KINDS = ['pins', 'users', 'issued'] as const
export const KINDS = [...SQLITE_KINDS, 'wallet'] as const

/** Where a store is in a folder: a file, or a folder for the wallet. */
export function placeOf(folder: string, kind: StoreKind): string {
  return join(folder, kind === 'wallet' ? 'wallet' : `${kind}.db`)
}

/** Opens a store in a folder, and makes it if there is none. */
export function openStore(folder: string, kind: StoreKind, options: OpenOptions = {}): Promise<OpenStore> {
  return OPENERS[kind](placeOf(folder, kind), options)
}

/** The host that goes by a number. */
export function hostOf(n: number): Endpoint {
  return endpointFrom(`host${n}.example`, 1965)
}

/** The certificate that goes by a number. */
export async function certificateOf(n: number): Promise<Certificate> {
  return (await prepare(`n${n}`)).certificate
}

const clock = () => START

const OPENERS: Readonly<Record<StoreKind, (path: string, options: OpenOptions) => Promise<OpenStore>>> = {
  async pins(path, options) {
    const store = await TofuStore.open({ path, clock, ...options })
    const stranger = await certificateOf(-1)
    return {
      write: async (n) => store.verifyOrTrust(hostOf(n), await certificateOf(n)),
      // Asked with another certificate: what is pinned makes it a change, and nothing else does.
      look: async (n) => {
        const { kind } = await store.judge(hostOf(n), stranger)
        if (kind !== 'changed' && kind !== 'first_use') throw new Error(`a stranger's certificate is ${kind}`)
        return kind === 'changed' ? 'there' : 'absent'
      },
      close: () => store.close(),
    }
  },
  async users(path, options) {
    const limiter = { take: () => ({ allowed: true }) as const }
    const store = await IdentityRegistry.open({ path, origin: 'example.org:1965', clock, limiter, ...options })
    return {
      write: async (n) => store.register(fakePeer(await certificateOf(n)), { handle: `user-${n}` }),
      look: async (n) => {
        const { kind } = await store.resolve(fakePeer(await certificateOf(n)))
        if (kind !== 'known' && kind !== 'unknown') throw new Error(`the certificate is ${kind}`)
        return kind === 'known' ? 'there' : 'absent'
      },
      close: () => store.close(),
    }
  },
  async issued(path, options) {
    const store = await SqliteIssuedStore.open(path, options)
    return {
      write: (n) => issue(store, `n${n}`),
      look: async (n) => {
        const status = await statusOf(store, `n${n}`)
        // Begun and not completed: nobody was told that it is done.
        return status === undefined || status === 'pending' ? 'absent' : 'there'
      },
      close: async () => store.close(),
    }
  },
  async wallet(directory, options) {
    const store = await IdentityWallet.open({ directory, clock, ...options })
    const scopeOf = (n: number) => `gemini://host${n}.example/`
    return {
      write: (n) => store.create({ name: `identity ${n}`, scope: scopeOf(n) }),
      look: async (n) => {
        await store.reload()
        const found = store.forUrl(scopeOf(n))
        if (found === null) return 'absent'
        // Its key is there too, and is its own.
        await store.clientIdentity(found.id)
        return 'there'
      },
      close: () => store.close(),
    }
  },
}

/** The code of an error; the error itself as text if it has none, which no test expects. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : String(error)
}
