// Where identities are written to, and in which form.

import { resolve } from 'node:path'
import type { Passphrase } from '../../certificate/passphrase.ts'
import { requireOptions, requireString, show } from '../../internal/arguments.ts'

/**
 * What to write, and where to:
 *
 * - `pem`: one identity into two files, or any number into one, each certificate before its key.
 * - `pkcs12`: one identity with its name into a `.p12` file; `compatibility` is that of `writePkcs12`.
 * - `lagrange`: `idents/` and `idents.lgr` in a folder. It may be Lagrange's own, with `overwrite` and while Lagrange does
 *   not run: what is known there of other identities stays.
 * - `amfora`: a folder with the files, and with the lines for Amfora's configuration in `amfora.toml`.
 * - `kristall`: one identity into two `.pem` files, in the forms that Kristall reads.
 */
export type IdentityTarget =
  | { readonly format: 'pem'; readonly path: string }
  | { readonly format: 'pem'; readonly certFile: string; readonly keyFile: string }
  | {
      readonly format: 'pkcs12'
      readonly path: string
      readonly passphrase: Passphrase
      readonly compatibility?: 'modern' | 'legacy'
    }
  | { readonly format: 'lagrange'; readonly directory: string }
  | { readonly format: 'amfora'; readonly directory: string }
  | { readonly format: 'kristall'; readonly certFile: string; readonly keyFile: string }

const KNOWN: Readonly<Record<IdentityTarget['format'], readonly string[]>> = {
  pem: ['format', 'path', 'certFile', 'keyFile'],
  pkcs12: ['format', 'path', 'passphrase', 'compatibility'],
  lagrange: ['format', 'directory'],
  amfora: ['format', 'directory'],
  kristall: ['format', 'certFile', 'keyFile'],
}

/** Checks what a caller passes. */
export function requireTarget(target: IdentityTarget): void {
  requireOptions('target', target, [...new Set(Object.values(KNOWN).flat())])
  const known = Object.hasOwn(KNOWN, target.format) ? KNOWN[target.format] : null
  if (known === null) {
    throw new TypeError(`"target.format" expected one of ${Object.keys(KNOWN).join(', ')}, got ${show(target.format)}`)
  }
  requireOptions('target', target, known)
  switch (target.format) {
    case 'lagrange':
    case 'amfora':
      requireString('target.directory', target.directory)
      return
    case 'pkcs12':
      requireString('target.path', target.path)
      return
    case 'kristall':
      requirePair(target)
      return
    case 'pem':
      if (!('path' in target)) {
        requirePair(target)
        return
      }
      requireString('target.path', target.path)
      if ('certFile' in target || 'keyFile' in target) {
        throw new TypeError('"target" expected one path for everything or two, got both')
      }
  }
}

function requirePair(target: Extract<IdentityTarget, { readonly certFile: string }>): void {
  const { format, certFile, keyFile } = target
  requireString('target.certFile', certFile)
  requireString('target.keyFile', keyFile)
  if (resolve(certFile) === resolve(keyFile)) {
    throw new TypeError('"target" expected two paths, got one twice')
  }
  if (format === 'kristall' && ![certFile, keyFile].every((path) => path.endsWith('.pem'))) {
    throw new RangeError('"target" expected two names that end in .pem, which is what Kristall asks for')
  }
}
