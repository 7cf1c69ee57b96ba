import { getSystemErrorMap } from 'node:util'

/** Why the system would not do something, for a message: `EACCES: permission denied`. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error && 'code' in error && typeof error.code === 'string')) return String(error)
  const { code } = error
  // What the system says of it is about whoever wrote the program.
  if (code === 'EISDIR') return `${code}: it is a folder, and no file`
  // By the name, because the numbers are not the same everywhere, and not every error has one.
  const said = [...getSystemErrorMap().values()].find(([name]) => name === code)?.[1]
  return said === undefined ? code : `${code}: ${said}`
}
