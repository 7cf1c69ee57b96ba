// The process of one target. It gets its order as JSON, and says how it went on its last line.

import { targetOf } from '../targets/index.ts'
import { type Order, runChild } from './guided-child.ts'
import { TOYS } from './toys.ts'

const order = JSON.parse(process.argv[2] ?? '{}') as Order
const toy = TOYS.find(({ name }) => name === order.target)
const report = await runChild(order, toy ?? targetOf(order.target), (url) =>
  toy === undefined ? /\/src\//.test(url) && !url.includes('node_modules') : url.includes('/toys.ts'),
)
process.stdout.write(`\n${JSON.stringify(report)}\n`, () => process.exit(0))
