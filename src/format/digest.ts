// Format: the digest of a file that comes in pieces, anywhere; promises what digest.node.ts does, which Node.js takes instead.

// WebCrypto digests only what lies in memory as a whole.
export { startSha256, type Sha256 } from './sha256.ts'
