// One complete, checked set of what a server shows and trusts. It is never changed, only replaced by the next.

import { createSecureContext, type SecureContext, type TlsOptions } from 'node:tls'
import type { Certificate } from '../certificate/certificate.ts'
import { ContextError } from '../errors.ts'
import type { Clock } from '../internal/clock.ts'
import { tell } from '../net/report.ts'
import { NameTable } from './certificate-set.ts'
import type { PolicyOptions } from './policy.ts'
import { prefixed } from './prefixed-error.ts'
import {
  type LoadedCertificate,
  loadServedCertificate,
  type ServedCertificate,
  type ServerCertificateSource,
} from './served-certificate.ts'
import { loadAuthorities, nameOnly, type TrustedAuthority } from './trusted-authorities.ts'

/** What a server asks of its clients. */
export type ClientCertificates = 'none' | 'request' | { readonly trustedAuthorities: readonly TrustedAuthority[] }

/** A certificate of the server is outside its dates. It is shown to clients all the same: they may not mind. */
export interface ServerContextEvent {
  readonly kind: 'certificate_expired' | 'certificate_not_yet_valid'
  /** Which one: `certificates[1] (/etc/capsule/cert.pem)`. */
  readonly label: string
  readonly certificate: Certificate
}

/** What a context was made from; it stays the same from generation to generation. */
export interface ContextSettings {
  readonly certificates: readonly ServerCertificateSource[]
  readonly clientCertificates: ClientCertificates
  readonly unknownServerName: 'default' | 'refuse'
  readonly policy: PolicyOptions
  readonly alpn: readonly string[]
  readonly clock: Clock
  readonly onEvent: ((event: ServerContextEvent) => void) | undefined
}

/** One certificate as a server can show it. */
export interface Choice {
  /** For a `tls.createServer` that has this certificate and no other. */
  readonly options: TlsOptions
  /** The same for a handshake that has begun. */
  readonly context: SecureContext
}

export interface Generation {
  readonly entries: readonly LoadedCertificate[]
  /** Null if clients are not asked who issued their certificates. */
  readonly authorities: readonly Certificate[] | null
  /** For clients that name no host, or one that is not known. */
  readonly default: Choice
  readonly names: NameTable<Choice>
}

/**
 * Reads and checks everything.
 *
 * @param before - The generation in force; its entries are kept where the texts have not changed.
 */
export async function loadGeneration(settings: ContextSettings, before: Generation | null): Promise<Generation> {
  const { clientCertificates } = settings
  const authorities =
    typeof clientCertificates === 'string' ? null : await loadAuthorities(clientCertificates.trustedAuthorities)
  const entries: LoadedCertificate[] = []
  for (const [index, source] of settings.certificates.entries()) {
    entries.push(await loadServedCertificate(source, index, before?.entries[index]))
  }
  const ca = (authorities ?? []).map(nameOnly)
  const choices = entries.map((entry): Candidate => ({ ...makeChoice(entry, ca, settings), entry }))
  const names = nameTable(choices)
  const [first] = choices
  if (first === undefined) throw new ContextError('"certificates" is empty: a server needs at least one')
  for (const { served } of entries) warnOfDates(served, settings)
  return { entries, authorities, default: first, names }
}

/** Whether nothing changed from one generation to the next. */
export function sameContents(before: Generation, next: Generation): boolean {
  const fingerprints = ({ authorities }: Generation): string => (authorities ?? []).map((a) => a.fingerprint).join()
  return (
    before.entries.every((entry, index) => entry === next.entries[index]) && fingerprints(before) === fingerprints(next)
  )
}

interface Candidate extends Choice {
  readonly entry: LoadedCertificate
}

function makeChoice({ served, keyed }: LoadedCertificate, ca: string[], settings: ContextSettings): Choice {
  // Without authorities `ca` is an empty list and not absent: that would mean those that Node brings along.
  const secrets = { ...settings.policy, cert: keyed.certPem, key: keyed.keyPem, ca }
  try {
    const options: TlsOptions = {
      ...secrets,
      requestCert: settings.clientCertificates !== 'none',
      // Refusing is for the application, which can say why. OpenSSL would refuse every self-signed certificate.
      rejectUnauthorized: false,
      ...(settings.alpn.length > 0 && { ALPNProtocols: [...settings.alpn] }),
    }
    return { options, context: createSecureContext(secrets) }
  } catch (error) {
    // A key too small for OpenSSL's security level, for one.
    throw prefixed(served.label, error)
  }
}

// Names that were asked for go before names that a certificate happens to have; within each, first come, first served.
function nameTable(choices: readonly Candidate[]): NameTable<Choice> {
  const table = new NameTable<Choice>()
  const reachable = new Set(choices.slice(0, 1))
  for (const explicit of [true, false]) {
    for (const choice of choices) {
      if (choice.entry.explicitNames !== explicit) continue
      const { label, hostnames } = choice.entry.served
      for (const hostname of hostnames) {
        if (table.add(hostname, choice)) reachable.add(choice)
        else if (explicit) throw new ContextError(`${label}: "${hostname}" belongs to another entry already`)
      }
    }
  }
  for (const choice of choices) {
    if (reachable.has(choice)) continue
    const { label, hostnames } = choice.entry.served
    const why = hostnames.length === 0 ? 'it names no host' : 'all its host names belong to other entries'
    throw new ContextError(`${label}: no client could ever get this certificate, because ${why}; give it "hostnames"`)
  }
  return table
}

function warnOfDates({ label, certificate }: ServedCertificate, { clock, onEvent }: ContextSettings): void {
  const validity = certificate.validityAt(new Date(clock()))
  if (validity !== 'valid' && onEvent !== undefined)
    tell(onEvent, { kind: `certificate_${validity}`, label, certificate })
}
