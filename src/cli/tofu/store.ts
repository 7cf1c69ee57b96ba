// What all commands about pins begin with: which store, which server, which certificate.

import { access } from 'node:fs/promises'
import type { Command } from 'commander'
import type { Certificate } from '../../certificate/certificate.ts'
import { type Fingerprint, parseFingerprint } from '../../certificate/fingerprint.ts'
import { FileError, StoreError } from '../../errors.ts'
import { type Endpoint, parseEndpoint } from '../../names/endpoint.ts'
import { type TofuOptions, TofuStore } from '../../tofu/tofu-store.ts'
import { readOwn } from '../cert/read.ts'
import { Explained, UsageError } from '../exit-code.ts'
import type { CliIo } from '../io.ts'
import { fromUser } from '../options.ts'
import { pinStorePath } from '../places.ts'

/** Gemini's. A host that is given alone means it. */
export const DEFAULT_PORT = 1965

/** The store that `--store` names, or the usual one. */
export function storePath(io: CliIo, command: Command): string {
  const { store } = command.optsWithGlobals<{ store?: string }>()
  return store ?? pinStorePath(io)
}

/** Opens the store to write to it. It is created if it is not there, and then with hashes for names if that was said. */
export async function openStore(
  io: CliIo,
  command: Command,
  more: Pick<TofuOptions, 'onEvent'> = {},
): Promise<TofuStore> {
  const { hashNames = false } = command.optsWithGlobals<{ hashNames?: boolean }>()
  try {
    return await fromUser(() => TofuStore.open({ path: storePath(io, command), hashNames, clock: io.clock, ...more }))
  } catch (error) {
    if (!(error instanceof StoreError) || !OUT_OF_REACH.has(error.code)) throw error
    throw new Explained(`${error.message}; --store names another one`, error)
  }
}

/** What keeps a store from being opened that is not about what is in it. */
const OUT_OF_REACH: ReadonlySet<StoreError['code']> = new Set([
  'ERR_TLACACOCA_STORE_FAILED',
  'ERR_TLACACOCA_STORE_READ_ONLY',
] as const)

/**
 * Opens the store to read in it. Whoever looks creates nothing: the usual store is empty as long as it is not there, and
 * one that was named must be there.
 *
 * @param options.mayBeMissing - Whether one that was named is empty too, if it is not there: for a trial of what would
 *   create it. Default false.
 */
export async function openToRead(
  io: CliIo,
  command: Command,
  { mayBeMissing = false }: { readonly mayBeMissing?: boolean } = {},
): Promise<TofuStore> {
  const path = storePath(io, command)
  const isThere = await access(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  )
  if (isThere) return openStore(io, command)
  if (mayBeMissing || path === pinStorePath(io)) return TofuStore.inMemory({ clock: io.clock })
  throw new FileError('ERR_TLACACOCA_FILE_NOT_FOUND', path, `there is no store ${path}`)
}

/** The server that somebody means. */
export function readServer(text: string): Endpoint {
  return parseEndpoint(text, { defaultPort: DEFAULT_PORT })
}

/** Whether a port was named: then the text means the same server whatever the default is. */
export function namesPort(text: string): boolean {
  return readServer(text).equals(parseEndpoint(text, { defaultPort: DEFAULT_PORT + 1 }))
}

/** The options that name a certificate. */
export interface CertificateOptions {
  readonly cert?: string
}

/** A certificate out of a file, of several the first, or a fingerprint as it was typed: one of them. */
export async function readPinnable(
  io: CliIo,
  fingerprint: string | undefined,
  { cert }: CertificateOptions,
): Promise<Certificate | Fingerprint> {
  if (fingerprint !== undefined && cert !== undefined) {
    throw new UsageError('give a fingerprint or --cert, and not both')
  }
  if (cert !== undefined) return (await readOwn(io, cert)).certificate
  if (fingerprint === undefined) throw new UsageError('give a fingerprint, or a certificate by --cert')
  return parseFingerprint(fingerprint)
}

/** The fingerprint by which a pinnable is called. */
export function fingerprintOf(what: Certificate | Fingerprint): Fingerprint {
  return typeof what === 'string' ? what : what.fingerprint
}
