// What is wrong with the settings of a server: everything at once, because whoever mends one mistake at a time starts a
// server once for each.

import { AddressListError, ImportError, InvalidNameError, TlacacocaError } from '../../errors.ts'
import { BadInput } from '../exit-code.ts'

/** One mistake. Line and column count from 1; where the file is well-formed TOML there is the path of the key instead. */
export interface SettingsProblem {
  readonly file: string
  readonly line?: number
  readonly column?: number
  /** Such as `rate_limits[1].capacity`. */
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

  constructor(file: string) {
    this.file = file
  }

  add(key: string, message: string): void {
    this.list.push({ file: this.file, ...(key === '' ? {} : { key }), message })
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
        this.add(key, inTheWordsOfTheFile(error.message))
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

/** The library calls its options `maxPerAddress`, the file `max_per_address`. */
function inTheWordsOfTheFile(message: string): string {
  return message.replace(/"[a-z][A-Za-z.[\]0-9]*"/g, (name) =>
    name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
  )
}
