// Where an identity is shown: on one server, by the protocols of one group, at a path and below it.
//
// Several clients compare scopes as text, and send the identity of `/alice` to `/alice-bob` and that of `example.org` to
// `example.org.evil.example`. Here both sides are parsed: hosts and ports are equal or not, and paths are compared by
// their segments.

import { InvalidNameError } from '../../errors.ts'
import { show } from '../../internal/arguments.ts'
import type { Endpoint } from '../../names/endpoint.ts'
import { parseRequestPath, type RequestPath } from '../../names/request-path.ts'
import {
  DEFAULT_PORTS,
  GROUPS,
  type IdentityUrl,
  type Place,
  placeOf,
  requirePlace,
  type SchemeGroup,
} from './place.ts'

/**
 * A part of a site where an identity is shown. Made by {@link originScope} and {@link pathScope}.
 *
 * @example
 * import { originScope, pathScope } from 'tlacacoca/identity'
 *
 * const club = pathScope('gemini://EXAMPLE.org/club')
 * console.log(String(club), club.covers('titan://example.org/club/guests')) // gemini://example.org/club true
 * console.log(club.covers('gemini://example.org/clubhouse')) // false
 * console.log(originScope('gemini://example.org/club').covers('gemini://example.org/')) // true
 */
export class IdentityScope {
  /** The protocols that share identities: `gemini` and `titan` together, or one alone. */
  readonly schemes: readonly string[]
  /** Host and port; both must be equal. */
  readonly endpoint: Endpoint
  /** The path, which covers itself and everything below. The root covers the whole site. */
  readonly path: RequestPath
  readonly #group: SchemeGroup

  private constructor(group: SchemeGroup, endpoint: Endpoint, path: RequestPath) {
    this.schemes = GROUPS[group]
    this.endpoint = endpoint
    this.path = path
    this.#group = group
    Object.freeze(this)
  }

  /** Whether it is the whole site. */
  get isWholeOrigin(): boolean {
    return this.path.segments.length === 0
  }

  /**
   * Whether a URL lies in it. URLs of other protocols do not.
   *
   * @throws {InvalidNameError} ERR_TLACACOCA_TARGET_INVALID if the URL is malformed.
   */
  covers(url: IdentityUrl): boolean {
    const place = placeOf(url)
    return place !== null && this.coversPlace(place)
  }

  /** Whether both cover the same URLs. */
  equals(other: IdentityScope): boolean {
    return (
      this.#group === other.#group &&
      this.endpoint.equals(other.endpoint) &&
      this.path.segments.length === other.path.segments.length &&
      this.path.startsWith(other.path)
    )
  }

  /** @internal The host, and the port if it is unusual. */
  get authority(): string {
    const authority = String(this.endpoint)
    const usual = `:${DEFAULT_PORTS[this.#group]}`
    return authority.endsWith(usual) ? authority.slice(0, -usual.length) : authority
  }

  /** As a URL, which {@link pathScope} reads again: `gemini://example.org/club`. The port stands there if it is unusual. */
  toString(): string {
    const segments = this.path.segments.map(encodeURIComponent).join('/')
    const slash = this.path.isDirectory && segments !== '' ? '/' : ''
    return `${this.#group}://${this.authority}/${segments}${slash}`
  }

  /** As `toString`. */
  toJSON(): string {
    return this.toString()
  }

  /** Whether a value is a scope. */
  static is(value: unknown): value is IdentityScope {
    return typeof value === 'object' && value !== null && #group in value
  }

  /** @internal */
  coversPlace(place: Place): boolean {
    return this.#group === place.group && this.endpoint.equals(place.endpoint) && place.path.startsWith(this.path)
  }

  /** @internal */
  static of(place: Place): IdentityScope {
    return new IdentityScope(place.group, place.endpoint, place.path)
  }
}

/**
 * The scope of the whole site that a URL belongs to. It is what to offer first when a site asks for a certificate: many
 * ask on `/join` and then expect the same one everywhere.
 *
 * @throws {InvalidNameError} ERR_TLACACOCA_TARGET_INVALID if the URL is malformed, or of a protocol without identities.
 * @example
 * import { originScope } from 'tlacacoca/identity'
 *
 * console.log(String(originScope('titan://example.org:1966/join;size=3'))) // gemini://example.org:1966/
 */
export function originScope(url: IdentityUrl): IdentityScope {
  return IdentityScope.of({ ...requirePlace(url), path: ROOT })
}

/**
 * The scope of a URL's path and everything below it, which is what Gemini's specification says of certificates that are
 * made because of a status 60.
 *
 * @throws {InvalidNameError} As {@link originScope} does.
 * @example
 * import { pathScope } from 'tlacacoca/identity'
 *
 * console.log(pathScope('gemini://example.org/~ana/').path.segments) // ['~ana']
 */
export function pathScope(url: IdentityUrl): IdentityScope {
  return IdentityScope.of(requirePlace(url))
}

/** @internal A scope as a caller gives it: made before, or a URL for its path and below. */
export function readScope(name: string, value: IdentityScope | IdentityUrl): IdentityScope {
  if (IdentityScope.is(value)) return value
  try {
    return pathScope(value)
  } catch (error) {
    if (error instanceof InvalidNameError) throw error
    throw new TypeError(`"${name}" expected an IdentityScope or a URL, got ${show(value)}`)
  }
}

const ROOT = parseRequestPath('/')
