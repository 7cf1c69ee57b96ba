// Questions at the terminal whose answers nobody looking on can read.
//
// Node's own line editor does the reading: it switches the terminal's echo off, knows the keys that correct a line, and
// switches the echo on again. What it would print goes nowhere.

import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'

/** Whether somebody sits at this process's input, and nothing else reads what they type. */
export function terminalState(): 'free' | 'in_use' | 'none' {
  if (process.stdin.isTTY !== true) return 'none'
  return process.stdin.isRaw ? 'in_use' : 'free'
}

/**
 * Asks one question after another and returns the lines that were typed, or null if whoever was asked gave up (Ctrl-C,
 * Ctrl-D). The questions go to the standard error, because the standard output may hold data for another program.
 */
export function askInTerminal(questions: readonly string[]): Promise<string[] | null> {
  const lines = createInterface({ input: process.stdin, output: nowhere(), terminal: true, historySize: 0 })
  const answers: string[] = []
  const ask = () => process.stderr.write(questions[answers.length] ?? '')
  return new Promise((resolve) => {
    lines.on('line', (line) => {
      // The end of the line was not shown either.
      process.stderr.write('\n')
      answers.push(line)
      if (answers.length < questions.length) {
        ask()
        return
      }
      resolve(answers)
      lines.close()
    })
    lines.once('close', () => {
      if (answers.length < questions.length) process.stderr.write('\n')
      resolve(null)
    })
    lines.on('SIGINT', () => lines.close())
    // Ctrl-Z does nothing: Node would switch the echo on and stop the process, and where that cannot be stopped (the first
    // process of a container) the rest of the passphrase would be shown.
    lines.on('SIGTSTP', () => {})
    // Not before the echo is off: whoever sees the question may type.
    ask()
  })
}

function nowhere(): Writable {
  return new Writable({
    write(_chunk, _encoding, done) {
      done()
    },
  })
}
