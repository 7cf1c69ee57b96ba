// Clients of databases hang on their errors what was asked: a statement with its parameters, the row that was refused, a
// command with an address in it, or with the password. Our errors are logged with their causes, so it must not go along.

/** An error by its message, its code and where it was thrown, and nothing else; what is no error as it is. */
export function bareError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { message, stack } = error
  return Object.assign(new Error(message), 'code' in error ? { stack, code: error.code } : { stack })
}
