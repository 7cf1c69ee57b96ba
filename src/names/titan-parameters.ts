// The parameters of a Titan upload: `/path;token=secret;mime=text/plain;size=10`. They come after the first raw
// semicolon of the path, and their values may hold slashes.

import { hasControl, percentDecode } from './percent.ts'
import { invalidTarget } from './request-path.ts'

/** Each parameter once, as `name=value` with a name in lower case, decoded once. */
export function readTitanParameters(raw: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>()
  for (const parameter of raw.split(';')) {
    const equals = parameter.indexOf('=')
    const name = parameter.slice(0, Math.max(equals, 0))
    // Messages name the parameter only: a value can be somebody's token.
    if (!/^[a-z][a-z0-9-]*$/.test(name)) throw invalidTarget(name, 'is not the name of a parameter')
    const value = percentDecode(parameter.slice(equals + 1))
    if (value === null || hasControl(value)) throw invalidTarget(name, 'is a parameter with a malformed value')
    // Of two sizes or tokens, the one that was checked might not be the one that is used.
    if (parameters.has(name)) throw invalidTarget(name, 'is a parameter that comes twice')
    parameters.set(name, value)
  }
  return parameters
}
