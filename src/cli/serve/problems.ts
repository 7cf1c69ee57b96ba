// What is wrong with the settings of a server: everything at once, because whoever mends one mistake at a time starts a
// server once for each.

import { AddressListError, ImportError, InvalidNameError, TlacacocaError } from '../../errors.ts'
import { BadInput } from '../exit-code.ts'
import type { Place } from './places.ts'

/** One mistake. Line and column count from 1. */
export interface SettingsProblem {
  readonly file: string
  readonly line?: number
  readonly column?: number
  /** Such as `rate_limits[1].capacity`; not where the file is no TOML. */
  readonly key?: string
  readonly message: string
}

/** The settings have mistakes. */
export class SettingsError extends BadInput {
  readonly problems: readonly SettingsProblem[]

  constructor(problems: readonly SettingsProblem[]) {
    super(
      `the settings have ${problems.length === 1 ? 'a mistake' : `${problems.length} mistakes`}\n${linesOf(problems)}`,
    )
    this.problems = problems
  }
}

function linesOf(problems: readonly SettingsProblem[]): string {
  return problems
    .map(({ file, line, column, key, message }) => {
      const place = line === undefined ? '' : `:${line}:${column}`
      return `  ${file}${place}${key === undefined ? '' : ` ${key}`}: ${message}`
    })
    .join('\n')
}

/** Collects mistakes in one file. */
export class Problems {
  readonly file: string
  readonly list: SettingsProblem[] = []
  readonly #placeOf: ((key: string) => Place) | undefined

  /** `placeOf` says where a setting stands in the file, if there is one. */
  constructor(file: string, placeOf?: (key: string) => Place) {
    this.file = file
    this.#placeOf = placeOf
  }

  /** @param part - What of it is meant, if that is known: its place is told, then. */
  add(key: string, message: string, part?: string): void {
    const place = this.#placeOf?.(part === undefined ? key : `${key}.${part}`)
    this.list.push({ file: this.file, ...place, ...(key === '' ? {} : { key }), message })
  }

  /**
   * Calls the library with what the file says. Whatever it complains about is a mistake of the file then.
   *
   * @returns Undefined if it complained.
   */
  async try<T>(key: string, make: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await make()
    } catch (error) {
      if (error instanceof AddressListError || error instanceof ImportError) {
        const file = error instanceof AddressListError ? error.source : this.file
        for (const problem of error.problems) this.list.push({ file, ...problem })
        if (error.problems.length === 0) this.add(key, error.message)
      } else if (isAboutInput(error)) {
        const message = inTheWordsOfTheFile(error.message)
        // The library names what is wrong first, and the table that it was handed before that.
        const [, part] = /^"(?:rules\[0\]\.|proxy_protocol\.)?([\w.[\]]+)"/.exec(message) ?? []
        this.add(key, message, part)
      } else {
        throw error
      }
      return undefined
    }
  }

  throwIfAny(): void {
    if (this.list.length > 0) throw new SettingsError(this.list)
  }
}

function isAboutInput(error: unknown): error is Error {
  return (
    error instanceof TlacacocaError ||
    error instanceof InvalidNameError ||
    error instanceof TypeError ||
    error instanceof RangeError
  )
}

/** The library calls its options `maxPerAddress`, the file `max_per_address`; and `denyList` is `deny`. */
function inTheWordsOfTheFile(message: string): string {
  return message.replace(/"[a-z][A-Za-z.[\]0-9]*"/g, (name) =>
    name.replace(/^"(deny|allow)List\b/, '"$1').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
  )
}
