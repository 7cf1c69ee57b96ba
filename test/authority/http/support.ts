// An authority with an HTTP side, as a test wants it. The authority is the real one; only its key is not encrypted, because
// deriving a key from a passphrase takes longer than everything else in these tests.

import { join } from 'node:path'
import { CertificateAuthority } from '../../../src/authority/certificate-authority.ts'
import { type Authorization, type IssuedCertificate, SigningHooks } from '../../../src/authority/hooks.ts'
import {
  type AuthorityHandler,
  type AuthorityHandlerOptions,
  type AuthorityHttpEvent,
  type AuthorityRequestContext,
  createAuthorityHandler,
} from '../../../src/authority/http/handler.ts'
import { createAuthorityDirectory } from '../../../src/authority/identity-directory.ts'
import { createCertificateRequest } from '../../../src/certificate/certificate-request-create.ts'
import type { SubjectAltNames } from '../../../src/certificate/extensions.ts'
import { afterTest, testFolder } from './sockets.ts'

type AuthorityOptions = NonNullable<Parameters<typeof CertificateAuthority.open>[1]>

/** What the hooks of a test do; by default they allow everything. */
export interface TestHooks {
  authorize?(hooks: SigningHooks, names: SubjectAltNames): Authorization | Promise<Authorization>
  presign?: SigningHooks['presign']
  postsign?(issued: IssuedCertificate): void | Promise<void>
}

export interface TestAuthority {
  readonly authority: CertificateAuthority
  readonly folder: string
}

/** A new authority in a directory that is removed after the test. */
export async function testAuthority(
  hooks: TestHooks | null = {},
  options: AuthorityOptions = {},
): Promise<TestAuthority> {
  const folder = join(await testFolder(), 'ca')
  await createAuthorityDirectory(folder, { subject: [['CN', 'ca.test']], dangerouslyUnencrypted: true })
  const factory = hooks === null ? {} : { hooks: factoryOf(hooks) }
  const authority = await CertificateAuthority.open(folder, { ...factory, ...options })
  afterTest(() => authority.close())
  return { authority, folder }
}

function factoryOf({ authorize, presign, postsign }: TestHooks): NonNullable<AuthorityOptions['hooks']> {
  class Hooks extends SigningHooks {
    override authorize(names: SubjectAltNames) {
      return authorize === undefined ? ({ allow: true } as const) : authorize(this, names)
    }
    override presign(draft: Parameters<SigningHooks['presign']>[0]) {
      return presign?.(draft)
    }
    override postsign(issued: IssuedCertificate) {
      return postsign?.(issued)
    }
  }
  return (context) => new Hooks(context)
}

export interface TestSite extends TestAuthority {
  readonly handler: AuthorityHandler
  readonly events: readonly AuthorityHttpEvent[]
  /** Asks by a web-standard request, from 192.0.2.1 unless the context says otherwise. */
  ask(method: string, path: string, init?: RequestInit & AuthorityRequestContext): Promise<Response>
  /** `PUT /api/csr/f00d` with this body as `application/x-pem-file`. */
  put(body: string | Uint8Array, init?: RequestInit & AuthorityRequestContext): Promise<Response>
}

/** The HTTP side of a new authority. */
export async function testSite(
  hooks: TestHooks | null = {},
  options: AuthorityHandlerOptions = {},
  authorityOptions: AuthorityOptions = {},
): Promise<TestSite> {
  const made = await testAuthority(hooks, authorityOptions)
  const events: AuthorityHttpEvent[] = []
  const limiter = { take: () => ({ allowed: true }) as const }
  const onEvent = (event: AuthorityHttpEvent): unknown => events.push(event)
  const handler = createAuthorityHandler(made.authority, { limiter, onEvent, ...options })
  const ask: TestSite['ask'] = (method, path, { address = '192.0.2.1', peer, ...init } = {}) =>
    handler(new Request(`http://ca.test${path}`, { method, ...init }), { address, peer })
  const put: TestSite['put'] = (body, { headers, ...init } = {}) =>
    ask('PUT', '/api/csr/f00d', {
      body,
      headers: headers ?? { 'content-type': 'application/x-pem-file' },
      ...init,
    })
  return { ...made, handler, events, ask, put }
}

/** A request for a new P-256 key. */
export async function newRequest(): Promise<{
  readonly pem: string
  readonly der: Uint8Array
  readonly keyPem: string
}> {
  const { request, requestPem, privateKeyPem } = await createCertificateRequest({ subject: [['CN', 'whatever']] })
  return { pem: requestPem, der: request.der, keyPem: privateKeyPem }
}

/** A problem document, and how it came. */
export async function problem(response: Response): Promise<Record<string, unknown>> {
  const type = response.headers.get('content-type')
  if (type !== 'application/problem+json') throw new Error(`${response.status} ${type}: ${await response.text()}`)
  return { httpStatus: response.status, ...((await response.json()) as object) }
}

/** The answer to a request that was granted. */
export interface Granted {
  readonly signed_x509_pem: string
  readonly chain_pem: string
  readonly serial: string
  readonly not_after: string
  readonly renew_after: string
}

export async function granted(response: Response): Promise<Granted> {
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`)
  return (await response.json()) as Granted
}
