// What other clients remember of servers, in one shape, and what a format is that keeps it line by line.
//
// A format is three small functions over one line: is it as the program itself writes it, what does it say, how is a host
// written. None of them knows files, stores or other lines; whatever goes over several lines (the last one wins, an expiry
// in a line of its own) is done once, for all formats, by whoever reads the file.

import type { Fingerprint } from '../../certificate/fingerprint.ts'
import type { Endpoint } from '../../names/endpoint.ts'

/** The stores that can be read. */
export type KnownHostsFormat =
  | KnownHostsExportFormat
  /** TOML of this library and of its Python relatives, tlacacoca and nauyaca. */
  | 'tlacacoca'
  /** The SQLite file of the Python relatives. */
  | 'tlacacoca-sqlite'
  /** `tofu.db` of AV-98, and of Offpunk before 2.3. */
  | 'av98'
  /** The folder `certs` of Offpunk from 2.3 on. */
  | 'offpunk'
  | 'geopard'
  | 'ncgopher'
  /** It holds SHA-1 only, so that no entry of it can be used. */
  | 'bombadillo'

/** The stores that can be written too. TOML is written by `exportToml`. */
export type KnownHostsExportFormat =
  /** `trusted.2.txt` */
  | 'lagrange'
  /** `tofu.toml` */
  | 'amfora'
  | 'gmni'
  | 'telescope'
  /** wasat, and Rogallo, which uses it. */
  | 'wasat'
  /** go-gemini by adnano, and what uses it. */
  | 'go-gemini'

/** A server that another client knows. */
export interface KnownHost {
  readonly kind: 'host'
  /** In canonical form. */
  readonly subject: string
  readonly column: number
  readonly digest: Fingerprint
  /** What the digits are if they are not `digest`, where the file does not say of what they are the hash. */
  readonly otherDigest: Fingerprint | null
  readonly state: 'trusted' | 'verified'
  readonly notAfter: Date | null
  /** Null where the file does not tell. */
  readonly firstSeen: Date | null
  readonly lastSeen: Date | null
  readonly daysSeen: number
}

/** The end of a certificate, which stands in another line than its fingerprint. */
export interface HostExpiry {
  readonly kind: 'expiry'
  readonly subject: string
  readonly column: number
  readonly notAfter: Date
}

/** Something that should be a host and cannot be used. */
export interface UnusableLine {
  readonly kind: 'unusable'
  readonly column: number
  readonly message: string
}

/** What a line says. */
export type LineReading =
  | KnownHost
  | HostExpiry
  | UnusableLine
  /** Nothing that matters here. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'section'; readonly name: string }

/** A server that is to be written. What is not known is null. */
export interface HostToWrite {
  readonly endpoint: Endpoint
  /** SHA-256 of its certificate, 64 hex digits. */
  readonly sha256: string | null
  /** SHA-512 of its certificate, 128 hex digits. */
  readonly sha512: string | null
  /** SHA-256 of its public key, 64 hex digits. */
  readonly key: string | null
  /** SHA-256 of its certificate or of its public key; nobody can tell of which. */
  readonly either: string | null
  readonly notAfter: Date | null
  readonly lastSeen: Date
  readonly isVerified: boolean
}

/** The lines that a host becomes, or why the format cannot hold it. */
export type WrittenHost = { readonly lines: readonly string[] } | { readonly reason: string }

/** A store that is kept line by line. */
export interface LineFormat {
  readonly name: KnownHostsFormat
  /** How messages call it. */
  readonly program: string
  /**
   * What it means if a host is there twice: `last` counts, as the program itself has it, or nobody can tell which one does
   * and all are `refused`.
   */
  readonly repeats: 'last' | 'refused'
  /** Whether a line is exactly as the program writes it, and as no other program would. */
  isWritten(line: string): boolean
  /**
   * Reads a line that is neither empty nor a comment.
   *
   * @param section - What the last line of the kind `section` said; empty before the first.
   * @throws {Unfit} If it cannot be used.
   */
  read(line: string, section: string): LineReading
  /** Absent where a store is only read. */
  readonly write?: (host: HostToWrite) => WrittenHost
}

/** Why a line cannot be used. Thrown by the readers of lines and caught in `read-line.ts`; it goes no further. */
export class Unfit extends Error {
  readonly column: number

  constructor(column: number, message: string) {
    super(message)
    this.column = column
  }
}
