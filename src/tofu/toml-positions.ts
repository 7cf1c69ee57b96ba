// Where everything stands in a TOML document. The parser gives values without places, so this walks over the text once
// more and notes, for each table and each value, where its name and its value begin and end.
//
// It walks over texts that the parser has accepted, hence it checks nothing. What it does not understand ends the walk:
// a place may be missing, never wrong, and the walk always moves on.

/** Offsets into the text. */
export interface TomlNode {
  /** Where the name begins. */
  start: number
  valueStart: number
  valueEnd: number
  readonly children: Map<string, TomlNode>
  /** Of an array of tables. */
  readonly items: TomlNode[]
}

/** Finds the places of all tables and values. `unquote` reads a quoted name. */
export function locate(text: string, unquote: (quoted: string) => string): TomlNode {
  const root = newNode(0)
  new Walk(text, unquote, root).run()
  return root
}

function newNode(start: number): TomlNode {
  return { start, valueStart: start, valueEnd: start, children: new Map(), items: [] }
}

class Walk {
  readonly #text: string
  readonly #unquote: (quoted: string) => string
  readonly #root: TomlNode
  #at = 0

  constructor(text: string, unquote: (quoted: string) => string, root: TomlNode) {
    this.#text = text
    this.#unquote = unquote
    this.#root = root
  }

  run(): void {
    let table = this.#root
    for (;;) {
      this.#skipVoid()
      const start = this.#at
      if (start >= this.#text.length) return
      if (this.#text[start] === '[') table = this.#header()
      else this.#field(table)
      if (this.#at === start) return
    }
  }

  /** `[a.b]` or `[[a.b]]`: the node of the table that it opens. */
  #header(): TomlNode {
    const isArray = this.#text[this.#at + 1] === '['
    this.#at += isArray ? 2 : 1
    this.#skipBlanks()
    const start = this.#at
    const names = this.#names()
    this.#at += isArray ? 2 : 1

    let node = this.#root
    names.forEach((name, i) => {
      const isLast = i === names.length - 1
      const child = childOf(node, name, start)
      if (isLast && isArray) child.items.push(newNode(start))
      if (isLast && !isArray) child.start = start
      node = child.items.at(-1) ?? child
    })
    return node
  }

  /** `a.b = value`, in a table or between braces. */
  #field(table: TomlNode): void {
    const start = this.#at
    let node = table
    for (const name of this.#names()) node = childOf(node, name, start)
    if (this.#text[this.#at] !== '=') return
    this.#at++
    this.#skipBlanks()
    this.#value(node)
  }

  #value(node: TomlNode): void {
    node.valueStart = this.#at
    const first = this.#text[this.#at]
    if (first === '"' || first === "'") this.#string(first)
    else if (first === '[') this.#array(node)
    else if (first === '{') this.#inlineTable(node)
    else this.#bare()
    node.valueEnd = this.#at
  }

  #array(node: TomlNode): void {
    this.#at++
    for (;;) {
      this.#skipVoid()
      const start = this.#at
      if (this.#text[start] === ']') {
        this.#at++
        return
      }
      const item = newNode(start)
      // Only tables are of interest; an array of a million numbers is not worth a million nodes.
      if (this.#text[start] === '{') node.items.push(item)
      this.#value(item)
      this.#skipVoid()
      if (this.#text[this.#at] === ',') this.#at++
      if (this.#at === start) return
    }
  }

  #inlineTable(node: TomlNode): void {
    this.#at++
    for (;;) {
      this.#skipVoid()
      const start = this.#at
      if (this.#text[start] === '}') {
        this.#at++
        return
      }
      this.#field(node)
      this.#skipVoid()
      if (this.#text[this.#at] === ',') this.#at++
      if (this.#at === start) return
    }
  }

  /** Dotted names, up to the `=` or `]` after them. */
  #names(): string[] {
    const names: string[] = []
    for (;;) {
      this.#skipBlanks()
      const start = this.#at
      const first = this.#text[start]
      if (first === '"' || first === "'") {
        this.#string(first)
        names.push(this.#unquote(this.#text.slice(start, this.#at)))
      } else {
        BARE_NAME.lastIndex = start
        this.#at += BARE_NAME.exec(this.#text)?.[0].length ?? 0
        names.push(this.#text.slice(start, this.#at))
      }
      this.#skipBlanks()
      if (this.#text[this.#at] !== '.' || this.#at === start) return names
      this.#at++
    }
  }

  #string(quote: string): void {
    const text = this.#text
    const isLong = text.startsWith(quote.repeat(3), this.#at)
    const close = isLong ? quote.repeat(3) : quote
    let at = this.#at + close.length
    while (at < text.length && !text.startsWith(close, at)) at += quote === '"' && text[at] === '\\' ? 2 : 1
    at += close.length
    // A long string may end in one or two quotes of its own.
    for (let i = 0; i < 2 && isLong && text[at] === quote; i++) at++
    this.#at = Math.min(at, text.length)
  }

  /** A number, a date (which may have a space in it) or a boolean, up to what ends it. */
  #bare(): void {
    BARE_VALUE.lastIndex = this.#at
    this.#at += BARE_VALUE.exec(this.#text)?.[0].trimEnd().length ?? 0
  }

  #skipBlanks(): void {
    while (this.#text[this.#at] === ' ' || this.#text[this.#at] === '\t') this.#at++
  }

  /** White space, line ends and comments. */
  #skipVoid(): void {
    VOID.lastIndex = this.#at
    this.#at += VOID.exec(this.#text)?.[0].length ?? 0
  }
}

const BARE_NAME = /[A-Za-z0-9_-]+/y
const BARE_VALUE = /[^\r\n#,\]}]+/y
const VOID = /(?:[ \t\r\n]+|#[^\n]*)+/y

function childOf(node: TomlNode, name: string, start: number): TomlNode {
  const existing = node.children.get(name)
  if (existing !== undefined) return existing
  const child = newNode(start)
  node.children.set(name, child)
  return child
}

/** Turns offsets into lines and columns. */
export class LineIndex {
  readonly #starts: number[] = [0]

  constructor(text: string) {
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', end + 1)) this.#starts.push(end + 1)
  }

  get lineCount(): number {
    return this.#starts.length
  }

  placeOf(offset: number): { line: number; column: number } {
    let low = 0
    let high = this.#starts.length
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if ((this.#starts[middle] ?? 0) <= offset) low = middle
      else high = middle
    }
    return { line: low + 1, column: offset - (this.#starts[low] ?? 0) + 1 }
  }
}
