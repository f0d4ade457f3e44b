// Every sentence that the page says, in the reader's language. The sentences stand in
// words/*.json, one file for each language; the server puts those of the language that
// the browser asks for into the document, as #words, and English for what is missing.
//
// A sentence may have one hole: "{n} online" becomes a function of what goes there. A
// group of sentences with the key "other" is one sentence in the plural forms of its
// language (Unicode CLDR): it becomes a function of a number.

import { recall, remember } from './memory.js';

/** The languages, by their own names, in the order of these. */
export const languages = {
  ar: 'العربية', de: 'Deutsch', en: 'English', es: 'Español', fr: 'Français', hi: 'हिन्दी', id: 'Bahasa Indonesia', it: 'Italiano',
  ja: '日本語', ko: '한국어', pl: 'Polski', pt: 'Português', ru: 'Русский', tr: 'Türkçe', uk: 'Українська', zh: '中文',
};

const RIGHT_TO_LEFT = ['ar'];

/** The path that all of the site is below, as the server says; it ends in a slash. */
export const siteBase = document.documentElement.dataset.base ?? '/';

/** The sentences of the present language. */
export const words = {};

/** Numbers, times and lists as the present language writes them. */
export const format = {
  language: 'en',
  tag: 'en', // the language as the reader's browser has it: perhaps with a country
  number: String,
  time: String,
  moment: String,
  list: (items) => items.join(', '),
  size: (bytes) => `${format.number(Math.ceil(bytes / 1024))} KB`,
  seconds: String,
  plural: () => 'other',
};

/** The languages that the browser prefers; a browser, or an extension, may say anything. */
function preferred() {
  const { languages: wanted } = navigator;
  if (!Array.isArray(wanted)) return [];
  return wanted.filter((tag) => {
    try {
      return typeof tag === 'string' && Intl.getCanonicalLocales(tag).length === 1;
    } catch {
      return false;
    }
  });
}

/** What make makes, or null in a browser that cannot. */
function optional(make) {
  try {
    return make();
  } catch {
    return null;
  }
}

/** Sets the words to those of table, which is in language. */
function use(language, table) {
  const tag = preferred().find((tag) => tag.toLowerCase().split('-')[0] === language) ?? language;
  const number = new Intl.NumberFormat(tag);
  const clock = new Intl.DateTimeFormat(tag, { hour: 'numeric', minute: '2-digit' });
  const moment = new Intl.DateTimeFormat(tag, { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: '2-digit', second: '2-digit' });
  const list = optional(() => new Intl.ListFormat(tag, { style: 'narrow', type: 'conjunction' }));
  const seconds = optional(() => new Intl.NumberFormat(tag, { style: 'unit', unit: 'second', unitDisplay: 'short' }));
  const plurals = optional(() => new Intl.PluralRules(tag));
  Object.assign(format, {
    language,
    tag,
    number: (n) => number.format(n),
    time: (date) => clock.format(date),
    moment: (date) => moment.format(date),
    list: (items) => list?.format(items) ?? items.join(', '),
    seconds: (n) => seconds?.format(n) ?? `${n} s`,
    plural: (n) => plurals?.select(n) ?? 'other',
  });
  Object.assign(words, compile(table));
}

/** Has no other keys than the table: words of the server are looked up in it. */
function compile(table) {
  const compiled = Object.entries(table).map(([key, value]) => {
    if (typeof value === 'object') return [key, 'other' in value ? counted(value) : compile(value)];
    return [key, /\{\w+\}/.test(value) ? (what) => fill(value, what) : value];
  });
  return Object.assign(Object.create(null), Object.fromEntries(compiled));
}

function counted(forms) {
  return (n) => fill(forms[format.plural(n)] ?? forms.other, format.number(n));
}

function fill(sentence, what) {
  return sentence.replace(/\{\w+\}/, () => what);
}

/** Puts the words into every element below root that names some in data-words or data-label. */
export function translate(root = document) {
  document.documentElement.lang = format.language;
  document.documentElement.dir = RIGHT_TO_LEFT.includes(format.language) ? 'rtl' : 'ltr';
  document.title = words.title;
  for (const node of root.querySelectorAll('[data-words]')) node.textContent = words[node.dataset.words];
  for (const node of root.querySelectorAll('[data-label]')) {
    node.setAttribute('aria-label', words[node.dataset.label]);
    if (node.localName === 'button') node.title = words[node.dataset.label];
    if (node.localName === 'input') node.placeholder = words[node.dataset.label];
  }
}

/** Changes to language, and remembers it; false where its words cannot be had. */
export async function speak(language) {
  try {
    if (language !== format.language) use(language, await (await fetch(`${siteBase}words/${language}.json`)).json());
  } catch {
    return false;
  }
  remember('language', language);
  translate();
  return true;
}

/** The language that this browser was told to use here, or ''. */
export function chosenLanguage() {
  const chosen = recall('language', '');
  return Object.keys(languages).includes(chosen) ? chosen : '';
}

const given = document.getElementById('words');
use(given.lang, JSON.parse(given.textContent));
