// Test: recipients of age; promises those of the library itself, and no other text.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateHybridIdentity, generateX25519Identity, identityToRecipient } from 'age-encryption'
import { isAgeRecipient } from './age-recipient.ts'

test('what the library makes is a recipient, and with any letter changed it is none', async () => {
  for (const identity of [await generateX25519Identity(), await generateHybridIdentity()]) {
    const recipient = await identityToRecipient(identity)
    assert.ok(isAgeRecipient(recipient))
    assert.ok(!isAgeRecipient(identity))
    for (let place = 0; place < recipient.length; place += 7) {
      const letter = recipient[place] === 'q' ? 'p' : 'q'
      assert.ok(!isAgeRecipient(recipient.slice(0, place) + letter + recipient.slice(place + 1)))
    }
  }
  for (const text of ['', 'age1', 'age1xyz', 'ssh-ed25519 AAAA', 'me@example.org'])
    assert.ok(!isAgeRecipient(text))
})
