// Format: whether two numbers sign a digest, ECDSA on the curve P-256; promises what WebCrypto would say, which takes no digest but the whole message.

// SEC 2, section 2.4.2 (secp256r1).
const FIELD = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn
const BASE = {
  x: 0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
  y: 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
}
const BYTES = 32

/** A point of the curve that is not at infinity. */
export interface CurvePoint {
  readonly x: bigint
  readonly y: bigint
}

/** A point from 65 bytes (SEC 1, section 2.3.4, uncompressed). @returns undefined when it is none of the curve */
export function readPoint(bytes: Uint8Array): CurvePoint | undefined {
  if (bytes.length !== 1 + 2 * BYTES || bytes[0] !== 4) return undefined
  const x = readNumber(bytes.subarray(1, 1 + BYTES))
  const y = readNumber(bytes.subarray(1 + BYTES))
  if (x >= FIELD || y >= FIELD || mod(y * y - x * x * x + 3n * x - B) !== 0n) return undefined
  return { x, y }
}

/**
 * Verifies a signature (SEC 1, section 4.1.4). Everything here is public, so nothing depends on how long it takes.
 *
 * @param numbers r and s, 32 bytes each
 * @param digest 32 bytes
 */
export function verifyDigest(
  publicKey: CurvePoint,
  numbers: Uint8Array,
  digest: Uint8Array,
): boolean {
  if (numbers.length !== 2 * BYTES || digest.length !== BYTES) return false
  const r = readNumber(numbers.subarray(0, BYTES))
  const s = readNumber(numbers.subarray(BYTES))
  if (r === 0n || r >= ORDER || s === 0n || s >= ORDER) return false
  const inverse = invert(s, ORDER)
  const sum = addMultiples(
    (readNumber(digest) * inverse) % ORDER,
    BASE,
    (r * inverse) % ORDER,
    publicKey,
  )
  if (sum.z === 0n) return false
  const zInverse = invert(sum.z, FIELD)
  return mod(sum.x * zInverse * zInverse) % ORDER === r
}

/** Jacobian coordinates: x / z^2, y / z^3; at infinity when z is 0. */
interface Jacobian {
  readonly x: bigint
  readonly y: bigint
  readonly z: bigint
}

const INFINITY: Jacobian = { x: 1n, y: 1n, z: 0n }

/** a * p + b * q, both at once, bit by bit. */
function addMultiples(a: bigint, p: CurvePoint, b: bigint, q: CurvePoint): Jacobian {
  const [onlyP, onlyQ] = [p, q].map(({ x, y }) => ({ x, y, z: 1n })) as [Jacobian, Jacobian]
  const both = add(onlyP, onlyQ)
  const digits = [a, b].map((number) => number.toString(2).padStart(8 * BYTES, '0'))
  let sum = INFINITY
  for (let index = 0; index < 8 * BYTES; index++) {
    sum = double(sum)
    const [hasP, hasQ] = digits.map((each) => each[index] === '1')
    if (hasP || hasQ) sum = add(sum, hasP && hasQ ? both : hasP ? onlyP : onlyQ)
  }
  return sum
}

/** With a = -3: 3 x^2 + a z^4 = 3 (x - z^2) (x + z^2). */
function double({ x, y, z }: Jacobian): Jacobian {
  const zz = mod(z * z)
  const yy = mod(y * y)
  const slope = mod(3n * (x - zz) * (x + zz))
  const middle = mod(4n * x * yy)
  const newX = mod(slope * slope - 2n * middle)
  return { x: newX, y: mod(slope * (middle - newX) - 8n * yy * yy), z: mod(2n * y * z) }
}

function add(p: Jacobian, q: Jacobian): Jacobian {
  if (p.z === 0n) return q
  if (q.z === 0n) return p
  const [pzz, qzz] = [mod(p.z * p.z), mod(q.z * q.z)]
  const [px, qx] = [mod(p.x * qzz), mod(q.x * pzz)]
  const [py, qy] = [mod(p.y * qzz * q.z), mod(q.y * pzz * p.z)]
  const [width, height] = [mod(qx - px), mod(qy - py)]
  if (width === 0n) return height === 0n ? double(p) : INFINITY
  const square = mod(width * width)
  const cube = mod(square * width)
  const across = mod(px * square)
  const x = mod(height * height - cube - 2n * across)
  return { x, y: mod(height * (across - x) - py * cube), z: mod(p.z * q.z * width) }
}

function mod(number: bigint): bigint {
  const rest = number % FIELD
  return rest < 0n ? rest + FIELD : rest
}

/** The inverse of a number from 1 to `modulus` - 1, by Euclid's algorithm. */
function invert(number: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [number, modulus, 1n, 0n]
  while (a > 1n) {
    const quotient = b / a
    ;[a, b, x, y] = [b - quotient * a, a, y - quotient * x, x]
  }
  return ((x % modulus) + modulus) % modulus
}

function readNumber(bytes: Uint8Array): bigint {
  let number = 0n
  for (const byte of bytes) number = (number << 8n) | BigInt(byte)
  return number
}
