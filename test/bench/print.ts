// Results as text.

import type { Result } from './measure.ts'

export interface Machine {
  readonly node: string
  readonly model: string
  readonly processors: number
  readonly load: readonly number[]
  readonly isPinned: boolean
}

export function machineFacts({ node, model, processors, load, isPinned }: Machine): string {
  const pinned = isPinned ? 'pinned to one of them' : 'not pinned'
  return `Node.js ${node}, ${processors} x ${model}, ${pinned}, load average ${load.map((one) => one.toFixed(2)).join(' ')}`
}

export function table(rows: readonly Result[]): string {
  const lines = rows.map((row, index) => {
    const line = `  ${row.contender.padEnd(44)} ${amountOf(row).padStart(10)}  ${ratio(row).padStart(6)} x floor${verdictOf(row)}`
    return row.name !== rows[index - 1]?.name ? `\n${row.name}\n${line}` : line
  })
  return lines.join('\n')
}

/** One row for each name: ours, its ratio, its goal, and what the others take as multiples of the floor. */
export function markdown(results: readonly Result[]): string {
  const names = [...new Set(results.map(({ name }) => name))]
  const rows = names.map((name) => {
    const of = results.filter((row) => row.name === name)
    const floor = of.find(({ contender }) => contender === 'floor')
    const ours = of.find(({ contender }) => contender === 'ours')
    const others = of.filter((row) => row !== floor && row !== ours)
    const comparison = others.map((row) => `${row.contender}: ${amountOf(row)}, ${ratio(row)}`).join('; ')
    const cells = [
      name,
      floor === undefined ? '' : amountOf(floor),
      ours === undefined ? '' : amountOf(ours),
      ours === undefined ? '' : `${ratio(ours)}${verdictOf(ours).endsWith('MISSED') ? ', missed' : ''}`,
      ours?.goal == null ? '' : String(Number(ours.goal.toFixed(2))),
      comparison,
    ]
    return `| ${cells.join(' | ')} |`
  })
  return [
    '| operation | floor | ours | ratio to the floor | goal | for comparison |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}

function ratio({ ratioToFloor }: Result): string {
  return ratioToFloor.toFixed(2)
}

function verdictOf({ goal, ratioToFloor }: Result): string {
  return goal === null ? '' : ` goal ${Number(goal.toFixed(2))} ${ratioToFloor <= goal ? 'met' : 'MISSED'}`
}

function amountOf({ amount, unit }: Result): string {
  if (unit === 'bytes')
    return amount < 1_000_000 ? `${(amount / 1000).toFixed(1)} KB` : `${(amount / 1e6).toFixed(1)} MB`
  if (amount < 10_000) return `${amount.toFixed(0)} ns`
  return amount < 10_000_000 ? `${(amount / 1000).toFixed(0)} us` : `${(amount / 1e6).toFixed(1)} ms`
}
