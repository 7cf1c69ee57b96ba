import { InvalidNameError } from '../errors.ts'
import { requireString } from './arguments.ts'

/** Parses a text that stands among options, and if it is malformed, says where: a list of a thousand has one mistake. */
export function parseAt<T>(place: string, text: unknown, parse: (text: string) => T): T {
  requireString(place, text)
  try {
    return parse(text)
  } catch (error) {
    if (!(error instanceof InvalidNameError)) throw error
    throw new InvalidNameError(error.code, `"${place}": ${error.message}`, { cause: error })
  }
}
