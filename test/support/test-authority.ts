// An authority for tests, with a clock that is set by hand and hooks as a test wants them. Its key is not encrypted, because
// deriving a key from a passphrase takes longer than everything else.

import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type AuthorityOptions, CertificateAuthority } from '../../src/authority/certificate-authority.ts'
import type { AuthorityEvent } from '../../src/authority/events.ts'
import { type HooksFactory, SigningHooks } from '../../src/authority/hooks.ts'
import { createAuthorityDirectory } from '../../src/authority/identity-directory.ts'
import { CertificateRequest } from '../../src/certificate/certificate-request.ts'
import { createCertificateRequest } from '../../src/certificate/certificate-request-create.ts'
import { temporaryFolder } from './temporary-folder.ts'

export const NOW = Date.UTC(2027, 0, 1)
export const DAY_MS = 86_400_000

export interface TestAuthority {
  readonly authority: CertificateAuthority
  readonly directory: string
  readonly clock: { now: number }
  readonly events: AuthorityEvent[]
  /** Another one on the same directory, as after a restart. */
  reopen(options?: AuthorityOptions): Promise<CertificateAuthority>
}

export async function testAuthority(
  options: AuthorityOptions & { readonly validity?: string; readonly pathLength?: number } = {},
): Promise<TestAuthority> {
  const { validity = '10y', pathLength = 1, ...own } = options
  const directory = join(await temporaryFolder(), 'ca')
  const clock = { now: NOW }
  const events: AuthorityEvent[] = []
  await createAuthorityDirectory(directory, {
    subject: [['CN', 'ca.test']],
    dangerouslyUnencrypted: true,
    clock: () => NOW,
    validity,
    pathLength,
  })
  const open = async (given: AuthorityOptions): Promise<CertificateAuthority> => {
    const rest = { clock: () => clock.now, onEvent: (event: AuthorityEvent) => events.push(event) }
    const authority = await CertificateAuthority.open(directory, { ...rest, ...given })
    onTestFinished(() => authority.close())
    return authority
  }
  return { authority: await open(own), directory, clock, events, reopen: (given = own) => open(given) }
}

/** What hooks of a test do; what is left out allows, changes nothing and listens to nothing. */
export type TestHooks = { [Name in 'authorize' | 'presign' | 'postsign']?: SigningHooks[Name] }

export function hooksOf(hooks: TestHooks, seen?: (hooks: SigningHooks) => void): HooksFactory {
  class Hooks extends SigningHooks {
    override authorize(...args: Parameters<SigningHooks['authorize']>) {
      seen?.(this)
      return hooks.authorize === undefined ? ({ allow: true } as const) : hooks.authorize(...args)
    }
    override presign(...args: Parameters<SigningHooks['presign']>) {
      return hooks.presign?.(...args)
    }
    override postsign(...args: Parameters<SigningHooks['postsign']>) {
      return hooks.postsign?.(...args)
    }
  }
  return (context) => new Hooks(context)
}

export async function newRequest(
  options: Parameters<typeof createCertificateRequest>[0] = {},
): Promise<CertificateRequest> {
  const { request } = await createCertificateRequest(options)
  return CertificateRequest.from(request.der)
}
