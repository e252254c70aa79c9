// Cli: numbers of things for people; promises one thing in the singular.

/** `1 code`, `2 codes`, `0 codes`. */
export function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`
}
