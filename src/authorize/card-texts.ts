// Authorize: the few words on a card beside the realm's own, in each language; promises words in some language for every language tag.

/** What stands on every card. */
export interface CardTexts {
  /** BCP 47 tag of the language that the texts are in. */
  readonly language: string
  readonly direction: 'ltr' | 'rtl'
  /** What to do with the card. */
  readonly howTo: string
  /** Follows `howTo` where a laboratory must activate the code first. */
  readonly activation: string
  readonly validUntil: (date: string) => string
  readonly card: (number: number, batch: string) => string
}

/** `{date}`, `{number}` and `{batch}` are replaced. */
interface Words {
  readonly howTo: string
  readonly activation: string
  readonly validUntil: string
  readonly card: string
}

const FALLBACK = 'en'

const RIGHT_TO_LEFT: ReadonlySet<string> = new Set(['ar'])

const WORDS: Readonly<Record<string, Words>> = {
  en: {
    howTo:
      'To warn people you were near, scan the square with your phone or type this code into the app. It can be used once.',
    activation: 'The laboratory must activate the code first.',
    validUntil: 'Valid until {date}',
    card: 'Card {number}, batch {batch}',
  },
  nl: {
    howTo:
      'Om mensen te waarschuwen bij wie u in de buurt was, scant u het vierkant met uw telefoon of typt u deze code in de app. De code werkt één keer.',
    activation: 'De code werkt pas nadat het laboratorium hem heeft geactiveerd.',
    validUntil: 'Geldig tot {date}',
    card: 'Kaart {number}, partij {batch}',
  },
  de: {
    howTo:
      'Um Menschen zu warnen, in deren Nähe Sie waren, scannen Sie das Quadrat mit Ihrem Handy oder geben Sie diesen Code in der App ein. Er gilt nur einmal.',
    activation: 'Der Code gilt erst, wenn das Labor ihn freigeschaltet hat.',
    validUntil: 'Gültig bis {date}',
    card: 'Karte {number}, Serie {batch}',
  },
  fr: {
    howTo:
      'Pour prévenir les personnes que vous avez côtoyées, scannez le carré avec votre téléphone ou saisissez ce code dans l’application. Il ne sert qu’une fois.',
    activation: 'Le code ne fonctionne qu’une fois activé par le laboratoire.',
    validUntil: 'Valable jusqu’au {date}',
    card: 'Carte {number}, lot {batch}',
  },
  es: {
    howTo:
      'Para avisar a las personas que estuvieron cerca de usted, escanee el cuadrado con su teléfono o escriba este código en la aplicación. Solo sirve una vez.',
    activation: 'El código solo funciona después de que el laboratorio lo active.',
    validUntil: 'Válido hasta el {date}',
    card: 'Tarjeta {number}, lote {batch}',
  },
  it: {
    howTo:
      'Per avvisare chi le è stato vicino, inquadri il quadrato con il telefono o digiti questo codice nell’app. Vale una sola volta.',
    activation: 'Il codice funziona solo dopo l’attivazione da parte del laboratorio.',
    validUntil: 'Valido fino al {date}',
    card: 'Scheda {number}, lotto {batch}',
  },
  pt: {
    howTo:
      'Para avisar as pessoas que estiveram perto de si, leia o quadrado com o telemóvel ou escreva este código na aplicação. Só funciona uma vez.',
    activation: 'O código só funciona depois de o laboratório o ativar.',
    validUntil: 'Válido até {date}',
    card: 'Cartão {number}, lote {batch}',
  },
  pl: {
    howTo:
      'Aby ostrzec osoby, które były blisko Ciebie, zeskanuj kwadrat telefonem lub wpisz ten kod w aplikacji. Kod działa tylko raz.',
    activation: 'Kod działa dopiero po aktywacji przez laboratorium.',
    validUntil: 'Ważny do {date}',
    card: 'Karta {number}, partia {batch}',
  },
  tr: {
    howTo:
      'Yakınınızda bulunan kişileri uyarmak için kareyi telefonunuzla tarayın veya bu kodu uygulamaya yazın. Kod yalnızca bir kez kullanılabilir.',
    activation: 'Kod, laboratuvar etkinleştirdikten sonra çalışır.',
    validUntil: 'Son geçerlilik tarihi: {date}',
    card: 'Kart {number}, parti {batch}',
  },
  ru: {
    howTo:
      'Чтобы предупредить тех, кто был рядом с вами, отсканируйте квадрат телефоном или введите этот код в приложении. Код действует один раз.',
    activation: 'Код начнёт действовать после активации лабораторией.',
    validUntil: 'Действителен до {date}',
    card: 'Карта {number}, партия {batch}',
  },
  el: {
    howTo:
      'Για να προειδοποιήσετε όσους βρέθηκαν κοντά σας, σαρώστε το τετράγωνο με το κινητό σας ή πληκτρολογήστε αυτόν τον κωδικό στην εφαρμογή. Ισχύει μία φορά.',
    activation: 'Ο κωδικός ισχύει μόνο αφού τον ενεργοποιήσει το εργαστήριο.',
    validUntil: 'Ισχύει έως: {date}',
    card: 'Κάρτα {number}, παρτίδα {batch}',
  },
  uk: {
    howTo:
      'Щоб попередити тих, хто був поруч із вами, відскануйте квадрат телефоном або введіть цей код у застосунку. Код діє один раз.',
    activation: 'Код почне діяти після активації лабораторією.',
    validUntil: 'Дійсний до {date}',
    card: 'Картка {number}, партія {batch}',
  },
  vi: {
    howTo:
      'Để cảnh báo những người đã ở gần bạn, hãy quét hình vuông bằng điện thoại hoặc nhập mã này vào ứng dụng. Mã chỉ dùng được một lần.',
    activation: 'Mã chỉ có hiệu lực sau khi phòng xét nghiệm kích hoạt.',
    validUntil: 'Có giá trị đến {date}',
    card: 'Thẻ {number}, lô {batch}',
  },
  ar: {
    howTo:
      'لتنبيه الأشخاص الذين كانوا بقربك، امسح المربع بهاتفك أو اكتب هذا الرمز في التطبيق. يُستخدم الرمز مرة واحدة فقط.',
    activation: 'لا يعمل الرمز إلا بعد أن يفعّله المختبر.',
    validUntil: 'صالح حتى {date}',
    card: 'بطاقة {number}، دفعة {batch}',
  },
}

/** The languages that cards have words in. */
export const CARD_LANGUAGES: readonly string[] = Object.keys(WORDS)

/** Whether cards have words of this language, or of that of its first part. @param tag a BCP 47 tag */
export function hasCardTexts(tag: string): boolean {
  return Object.hasOwn(WORDS, primaryOf(tag))
}

/**
 * The words in a language; in that of its first part, or else in English, where there are none.
 *
 * @param tag a BCP 47 tag, such as `pt-BR`
 */
export function cardTexts(tag: string): CardTexts {
  const primary = primaryOf(tag)
  const language = Object.hasOwn(WORDS, primary) ? primary : FALLBACK
  const words = WORDS[language] as Words
  return {
    language,
    direction: RIGHT_TO_LEFT.has(language) ? 'rtl' : 'ltr',
    howTo: words.howTo,
    activation: words.activation,
    // A function, because `$` has a meaning in a replacement.
    validUntil: (date) => words.validUntil.replace('{date}', () => writtenDate(date, language)),
    card: (number, batch) =>
      words.card.replace('{number}', String(number)).replace('{batch}', () => batch),
  }
}

function primaryOf(tag: string): string {
  return tag.toLowerCase().split('-')[0] ?? ''
}

/** With the month as a word: 3/4 is March here and April there. @param date YYYY-MM-DD */
function writtenDate(date: string, language: string): string {
  const form = new Intl.DateTimeFormat(`${language === 'en' ? 'en-GB' : language}-u-nu-latn`, {
    dateStyle: 'long',
    timeZone: 'UTC',
  })
  return form.format(new Date(`${date}T00:00:00Z`))
}
