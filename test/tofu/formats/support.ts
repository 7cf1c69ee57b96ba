// What the tests of other clients' stores share.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseFingerprint } from '../../../src/certificate/fingerprint.ts'
import type { KnownHostsFormat } from '../../../src/tofu/formats/known-host.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

/** A file with this content in a folder of its own. */
export async function fileWith(content: string | Uint8Array, name = 'known_hosts'): Promise<string> {
  const file = join(await temporaryFolder(), name)
  writeFileSync(file, content)
  return file
}

/** 64 hex digits, the same for the same number. */
export function hex(n: number): string {
  return n.toString(16).padStart(64, '0')
}

/** The fingerprint that `lineOf` writes for a number. */
export function digestOf(format: KnownHostsFormat, n: number) {
  if (format === 'gmni') return parseFingerprint(`sha512:${hex(n)}${hex(n)}`)
  return parseFingerprint(`${format === 'lagrange' || format === 'amfora' ? 'spki-' : ''}sha256:${hex(n)}`)
}

const LINES = {
  lagrange: (host: string, n: number) => `${host.includes(';') ? host : `${host};1965`} 2110846073 ${hex(n)}\n`,
  gmni: (host: string, n: number) => `${host} SHA-512 ${(hex(n) + hex(n)).toUpperCase().replace(/..(?!$)/g, '$&:')}\n`,
  telescope: (host: string, n: number) => `${host} SHA256:${hex(n)} 0\n`,
  wasat: (host: string, n: number) =>
    `${host.includes(':') ? host : `${host}:1965`} sha256:${hex(n)} 2026-11-24T02:10:00.000000+00:00\n`,
  'go-gemini': (host: string, n: number) => `${host} sha256 ${Buffer.from(hex(n), 'hex').toString('base64')}\n`,
  geopard: (host: string, n: number) => `${host} ${hex(n)}\n`,
  amfora: (host: string, n: number) =>
    `'${host.replaceAll('.', '/')}' = '${hex(n).toUpperCase()}'\n'${host.replaceAll('.', '/')}/expiry' = 2036-11-21T02:07:53Z\n`,
}

/** Formats of one line for a host, and Amfora's of two. */
export type PlainFormat = keyof typeof LINES

export const LINE_BY_LINE = ['lagrange', 'gmni', 'telescope', 'wasat', 'go-gemini', 'geopard'] as const

/** What a client would write for a host on port 1965. */
export function lineOf(format: PlainFormat, host: string, n: number): string {
  return LINES[format](host, n)
}

/** What an operation threw. */
export const failure = (act: Promise<unknown>) => act.then(() => null).catch((error: unknown) => error)
