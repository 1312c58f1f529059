/**
 * How models refuse to answer, by language. The only list of such phrases: `--reject-refusals`
 * discards answers by it, and the data view marks them.
 *
 * @module
 */

/** How many characters of an answer are searched: a refusal comes first, and a long answer may
 * mention one. */
const START = 200;

interface Phrases {
  /** How a refusal begins; compared in lower case. Strict: an answer that matches is discarded. */
  readonly openings: readonly RegExp[];
  /** What a refusal holds near its start, as the source of an expression. Loose: an answer that
   * matches is only marked. */
  readonly marks: string;
}

const LANGUAGES: Readonly<Record<string, Phrases>> = {
  english: {
    openings: [
      // "I'm sorry, but I can't help with that", "I cannot assist with this request"
      /^(?:(?:i['’]?m|i am) (?:really |very |so )?(?:sorry|afraid)|sorry|(?:my )?apologies|i apologi[sz]e|unfortunately|as an ai[^,.]*)?[,.]?\s*(?:but )?(?:that )?i\s*(?:can['’]?t|can ?not|won['’]?t|will not|(?:['’]?m|am) (?:not able|unable|not allowed|not permitted|not comfortable)|must decline|have to decline)\b(?! help (?:but|thinking|noticing|feeling|wondering)\b)[^.!?:;\n]{0,60}?\b(?:help|assist|provide|answer|comply|fulfil+|respond|engage|discuss|continue|create|generate|write|share|support|do (?:that|this)|with (?:that|this))/,
      // "I must decline this request"
      /^(?:(?:i['’]?m|i am) sorry|sorry|unfortunately)?[,.]?\s*(?:but )?i (?:must|have to|need to) (?:respectfully )?(?:decline|refuse)\b/,
      // "As an AI language model, I do not have"
      /^(?:(?:i['’]?m|i am) sorry|sorry)?[,.]?\s*(?:but )?as an ai(?: language)?(?: model| assistant)?,? i (?:can['’]?t|can ?not|do not|don['’]?t|am (?:not able|unable))/,
      // "This request violates …"
      /^(?:this|that|your) (?:request|prompt|content) (?:violates|goes against|is against)\b/,
    ],
    marks: [
      "\\bI(?:['’]m| am)(?: \\w+){0,2} (?:sorry|afraid|unable|not able|not comfortable|not allowed)\\b" +
      "(?:[^.!?]{0,60}\\b(?:can(?:['’]?t|not)|unable|won['’]?t|not able|help|assist|provide|comply|fulfil+|do that))",
      "\\bI(?: \\w+)? (?:can(?:['’]?t|not)|can not|won['’]?t|will not|must decline|have to decline|am unable to|am not able to|refuse to|decline to)" +
      "(?: \\w+){0,2} (?:help|assist|provide|comply|fulfil+|answer|do that|support|create|write|generate|share|give|engage|discuss|offer|produce|continue|complete)\\b",
      "\\b(?:sorry|apologi[sz]e),? (?:but )?I (?:can(?:['’]?t|not)|am unable|won['’]?t|am not able)",
      "\\bI (?:must|have to|need to|will have to) (?:respectfully )?decline\\b",
      "\\bas an? (?:AI|artificial intelligence|language model|large language model)\\b",
      "\\b(?:goes |is |would be )?against (?:my|our|openai['’]?s) (?:guidelines|policy|policies|programming|values)\\b",
    ].join("|"),
  },
  chinese: {
    openings: [
      /^(?:非常|很)?(?:抱歉|对不起|不好意思)[，,。!！ ]*(?:但)?(?:我|作为)[^。！\n]{0,20}(?:无法|不能|不可以|没有办法|拒绝)/,
      /^(?:我|作为[^，,。]{0,20}[，,]?我?)(?:无法|不能)(?:提供|回答|协助|满足|帮助|参与|生成)/,
    ],
    marks:
      "(?:抱歉|对不起|很遗憾)[^。]{0,20}(?:无法|不能|不便)|我(?:无法|不能)(?:提供|回答|协助|帮助|满足|完成)",
  },
  japanese: {
    openings: [
      /^(?:大変|誠に)?(?:申し訳|すみません|恐れ入り)[^。\n]{0,15}。?[^。\n]{0,50}(?:できません|できかねます|いたしかねます)/,
    ],
    marks: "(?:申し訳|すみません)[^。]{0,30}(?:できません|できかねます|お答えできません)",
  },
  korean: {
    openings: [/^(?:정말 )?(?:죄송|미안)[^.\n]{0,15}[.,]?[^.\n]{0,50}(?:수 없습니다|어렵습니다)/],
    marks: "(?:죄송|미안)[^.]{0,30}(?:없습니다|어렵습니다)",
  },
  german: {
    openings: [
      /^(?:(?:es )?tut mir (?:sehr )?leid|leider|entschuldigung)?[^.!?\n]{0,20}\b(?:ich (?:kann|darf)|(?:kann|darf) ich)\b[^.!?\n]{0,40}\bnicht (?:\w+ ){0,2}(?:weiter)?(?:helfen|beantworten|bereitstellen|erstellen|nachkommen|unterstützen)/,
    ],
    marks:
      "es tut mir leid[^.]{0,40}(?:kann|darf)|ich kann (?:dabei|dir|ihnen) (?:leider )?nicht helfen",
  },
  french: {
    openings: [
      /^(?:je suis (?:vraiment )?désolée?|désolée?|je regrette)[^.!?\n]{0,20}\bje ne (?:peux|suis)[^.!?\n]{0,30}(?:aider|fournir|répondre|générer|créer|partager|accéder|satisfaire)/,
    ],
    marks: "je (?:suis désolé|regrette)[^.]{0,40}(?:ne peux|ne suis pas)",
  },
  spanish: {
    openings: [
      /^(?:lo siento|lamento)[^.!?\n]{0,30}\bno puedo\b[^.!?\n]{0,30}(?:ayudar|proporcionar|responder|cumplir|generar|crear|ofrecer|asistir|compartir)/,
    ],
    marks: "(?:lo siento|lamento)[^.]{0,30}no puedo",
  },
  portuguese: {
    openings: [
      /^(?:desculpe|lamento|sinto muito)[^.!?\n]{0,30}\bnão posso\b[^.!?\n]{0,30}(?:ajudar|fornecer|responder|cumprir|gerar|criar|atender|compartilhar)/,
    ],
    marks: "desculpe[^.]{0,30}não posso",
  },
  russian: {
    openings: [
      /^(?:извините|простите|к сожалению)[^.!?\n]{0,30}не (?:могу|смогу)[^.!?\n]{0,30}(?:помочь|предоставить|ответить|выполнить|создать|обсуждать)/,
    ],
    marks: "(?:извините|к сожалению)[^.]{0,40}(?:не могу|не смогу)",
  },
};

const OPENINGS = Object.values(LANGUAGES).flatMap(({ openings }) => openings);
const MARKS = new RegExp(Object.values(LANGUAGES).map(({ marks }) => marks).join("|"), "i");

/** How marks in Latin letters begin: looking for these first halves the time. */
const FIRST_WORD =
  /(?:^|[^a-z])(?:i[^a-z]|as an? |against |lo siento|lamento|je |es tut mir|ich kann|desculpe)/i;
const OTHER_LETTER = /[а-яА-Я\u3040-\ud7a3]/;

/** Whether an answer begins like a refusal. Strict, because the answer is discarded. */
export function isRefusal(response: string): boolean {
  const start = response.slice(0, 2 * START).trimStart().slice(0, START).toLowerCase();
  return OPENINGS.some((opening) => opening.test(start));
}

/** Whether an answer should be marked for the user: it is a refusal, or holds a phrase of one near
 * its start. */
export function resemblesRefusal(response: string): boolean {
  const start = response.length > START ? response.slice(0, START) : response;
  const mayMatch = FIRST_WORD.test(start) || OTHER_LETTER.test(start);
  return (mayMatch && MARKS.test(start)) || isRefusal(response);
}
