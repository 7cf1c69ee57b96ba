// What others have chosen, such as names, notes and messages, made fit for a terminal.

// Everything that moves the cursor, changes colours or titles, or turns the reading direction round. Line ends and
// tabulators stay; marks that only join letters do too.
const STEERING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g

/** The text with everything escaped in it that could steer a terminal, as `\u001b`. */
export function withoutControls(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(STEERING, escaped)
}

// The colours that `styled` writes, and what ends them.
const OWN_STYLE = String.raw`\u001b\[(?:1|4|22|24|31|32|33|39)m`
const STYLE_OR_STEERING = new RegExp(`${OWN_STYLE}|${STEERING.source}`, 'g')

/** The same for a text with colours of our own in it, which stay. */
export function withoutControlsButStyles(text: string): string {
  return text.replace(STYLE_OR_STEERING, (found) => (found.length > 1 ? found : escaped(found)))
}

/** A value as JSON. What could steer a terminal is escaped too where JSON does not ask for it; the value is the same. */
export function harmlessJson(value: unknown, indent?: number): string {
  // Outside of texts there are no such characters but line ends, and in texts those are escaped already.
  return (JSON.stringify(value, null, indent) ?? 'null').replace(STEERING, escaped)
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}
