// Holds the lock of a store for some time, as a program does that writes for long.
//
//   lock-child <file> <milliseconds>
//
// Prints `locked`, and `free` when it has let go.

import { setTimeout as pause } from 'node:timers/promises'
import SQLite from 'better-sqlite3'

const [file = '', ms = '0'] = process.argv.slice(2)
const db = new SQLite(file)
db.exec('BEGIN EXCLUSIVE')
console.log('locked')
await pause(Number(ms))
db.exec('ROLLBACK')
db.close()
console.log('free')
