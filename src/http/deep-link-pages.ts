// Http: the pages of links that no app opened; promises that they load nothing, run nothing, repeat no code and escape what they show.

import { createHash } from 'node:crypto'
import type { LinkPage } from '../authorize/deep-links.ts'
import type { MobileApp } from '../authorize/mobile-apps.ts'

/** A page with the headers that belong to it. */
export interface RenderedPage {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

interface Words {
  readonly title: string
  readonly sentence: string
}

const ENGLISH: Readonly<Record<LinkPage, Words>> = {
  'other-device': {
    title: 'Open this link on your phone',
    sentence:
      'The code in it is for the phone that you carry with you. Send the link to nobody else.',
  },
  'no-app': {
    title: 'No app for this link here',
    sentence: 'Install the app of your health authority, then open the link again.',
  },
  'no-code': {
    title: 'This link has no code',
    sentence: 'Open the whole link from the message that you got, on your phone.',
  },
}

const WORDS: Readonly<Record<string, Readonly<Record<LinkPage, Words>>>> = {
  en: ENGLISH,
  nl: {
    'other-device': {
      title: 'Open deze link op uw telefoon',
      sentence:
        'De code erin is voor de telefoon die u bij u draagt. Stuur de link aan niemand anders.',
    },
    'no-app': {
      title: 'Geen app voor deze link',
      sentence: 'Installeer de app van uw gezondheidsdienst en open de link dan opnieuw.',
    },
    'no-code': {
      title: 'Deze link heeft geen code',
      sentence: 'Open de hele link uit het bericht dat u kreeg, op uw telefoon.',
    },
  },
  de: {
    'other-device': {
      title: 'Öffnen Sie diesen Link auf Ihrem Telefon',
      sentence:
        'Der Code darin ist für das Telefon, das Sie bei sich tragen. Geben Sie den Link nicht weiter.',
    },
    'no-app': {
      title: 'Keine App für diesen Link',
      sentence: 'Installieren Sie die App Ihrer Gesundheitsbehörde und öffnen Sie den Link erneut.',
    },
    'no-code': {
      title: 'Dieser Link enthält keinen Code',
      sentence: 'Öffnen Sie den ganzen Link aus Ihrer Nachricht, auf Ihrem Telefon.',
    },
  },
  fr: {
    'other-device': {
      title: 'Ouvrez ce lien sur votre téléphone',
      sentence:
        'Le code qu’il contient est destiné au téléphone que vous portez sur vous. Ne transmettez ce lien à personne.',
    },
    'no-app': {
      title: 'Aucune application pour ce lien',
      sentence: 'Installez l’application de votre autorité sanitaire, puis rouvrez le lien.',
    },
    'no-code': {
      title: 'Ce lien ne contient pas de code',
      sentence: 'Ouvrez le lien entier depuis le message reçu, sur votre téléphone.',
    },
  },
  es: {
    'other-device': {
      title: 'Abra este enlace en su teléfono',
      sentence:
        'El código que contiene es para el teléfono que lleva consigo. No envíe el enlace a nadie más.',
    },
    'no-app': {
      title: 'No hay aplicación para este enlace',
      sentence: 'Instale la aplicación de su autoridad sanitaria y vuelva a abrir el enlace.',
    },
    'no-code': {
      title: 'Este enlace no contiene ningún código',
      sentence: 'Abra el enlace completo del mensaje que recibió, en su teléfono.',
    },
  },
}

const STYLE =
  ':root{color-scheme:light dark}body{font:1.125rem/1.5 system-ui,sans-serif;max-width:32rem;margin:3rem auto;padding:0 1rem}h1{font-size:1.5rem}'

const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'x-content-type-options': 'nosniff',
  'x-robots-tag': 'noindex',
}

const SYSTEMS = { ios: 'iPhone', android: 'Android' }

/**
 * A page in the language that the reader likes best of those that there are.
 *
 * @param acceptLanguage the header, RFC 9110; empty when there is none
 * @param apps of the realm: those that can be installed are named
 */
export function renderLinkPage(
  page: LinkPage,
  acceptLanguage: string,
  apps: readonly MobileApp[],
): RenderedPage {
  const language = chooseLanguage(acceptLanguage)
  const { title, sentence } = (WORDS[language] ?? ENGLISH)[page]
  const items = apps
    .filter(({ redirects, storeUrl }) => redirects && storeUrl !== '')
    .map(
      ({ displayName, platform, storeUrl }) =>
        `<li><a href="${escapeHtml(storeUrl)}" rel="noreferrer" dir="auto">${escapeHtml(displayName)}</a> (${SYSTEMS[platform]})</li>\n`,
    )
  const list = items.length === 0 ? '' : `<ul>\n${items.join('')}</ul>\n`
  return {
    headers: { ...HEADERS, 'content-language': language },
    body: `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${title}</h1>
<p>${sentence}</p>
${list}</main>
</body>
</html>
`,
  }
}

function chooseLanguage(acceptLanguage: string): string {
  let best = { language: 'en', weight: 0 }
  for (const entry of acceptLanguage.toLowerCase().split(',')) {
    const [, language = '', given = '1'] =
      /^\s*([a-z]{2})(?:-[a-z0-9-]+)?\s*(?:;\s*q=([01](?:\.\d{0,3})?)\s*)?$/.exec(entry) ?? []
    const weight = Math.min(1, Number(given))
    if (Object.hasOwn(WORDS, language) && weight > best.weight) best = { language, weight }
  }
  return best.language
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
