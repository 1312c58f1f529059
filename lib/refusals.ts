/**
 * Phrases with which models refuse to answer, by language. `--reject-refusals` discards answers
 * that are only a refusal. The data view marks answers that contain such a phrase near their start.
 *
 * @module
 */

/** The number of characters at the start of an answer in which the data view looks for refusals.
 * Further on, an answer may only mention a refusal. */
const START_CHARS = 200;

/** An answer that is longer than this is not discarded, because it may contain more than a
 * refusal. */
const MAX_DISCARDED_CHARS = 400;

interface Phrases {
  /** The beginnings of refusals, in lower case. */
  readonly openings: readonly RegExp[];
  /** Matches sentences that may follow a refusal, which offer other help or give the reason. An
   * answer with any other sentence is kept. */
  readonly closings: RegExp;
  /** The source of a regular expression for phrases near the start of a refusal. False positives
   * are acceptable, because answers are only marked and not discarded. */
  readonly marks: string;
}

const ENGLISH_APOLOGY =
  /^(?:(?:i['’]?m|i am) (?:really |very |so )?(?:sorry|afraid)|sorry|(?:my )?apologies|i apologi[sz]e|unfortunately|as an ai[^,.]*)?[,.]?\s*(?:but )?(?:that )?/;
const ENGLISH_CANNOT =
  /i\s*(?:can['’]?t|can ?not|won['’]?t|will not|(?:['’]?m|am) (?:not able|unable|not allowed|not permitted|not comfortable)|must decline|have to decline)\b/;
/** Excludes "I can't help thinking" and "I can't not". */
const ENGLISH_IDIOM = /(?! help (?:but|thinking|noticing|feeling|wondering)\b)(?! not\b)/;
const ENGLISH_TASK =
  /\b(?:help|assist|provide|answer|comply|fulfil+|respond|engage|discuss|continue with|create|generate|write|share|support|do (?:that|this)|with (?:that|this))/;

const LANGUAGES: Readonly<Record<string, Phrases>> = {
  english: {
    openings: [
      // "I'm sorry, but I can't help with that", "I cannot assist with this request"
      new RegExp(
        `${ENGLISH_APOLOGY.source}${ENGLISH_CANNOT.source}${ENGLISH_IDIOM.source}` +
          `[^.!?:;\\n]{0,60}?${ENGLISH_TASK.source}`,
      ),
      // "I must decline this request"
      /^(?:(?:i['’]?m|i am) sorry|sorry|unfortunately)?[,.]?\s*(?:but )?i (?:must|have to|need to) (?:respectfully )?(?:decline|refuse)\b/,
      // "As an AI language model, I do not have"
      /^(?:(?:i['’]?m|i am) sorry|sorry)?[,.]?\s*(?:but )?as an ai(?: language)?(?: model| assistant)?,? i (?:can['’]?t|can ?not|do not|don['’]?t|am (?:not able|unable))/,
      // "This request violates …"
      /^(?:this|that|your) (?:request|prompt|content) (?:violates|goes against|is against)\b/,
    ],
    closings:
      /^(?:(?:however|instead|that said|but|and),? )?(?:if (?:you(?:['’](?:re|d|ve)| are| have| need| want| would)|there(?:['’]s| is))|let me know|please|feel free|is there|would you like|how (?:else )?(?:can|may) i|i can (?:help|assist|offer)|i(?:['’]d| would) be (?:happy|glad)|i(?:['’]m| am) (?:here|happy|glad|designed|programmed|sorry)|i (?:encourage|understand)|my (?:\w+ )?(?:guidelines|purpose|programming)\b|(?:it|this|that|doing so|creating|providing|making|sharing)\b.*\b(?:illegal|harmful|unethical|dangerous|unsafe|inappropriate|guidelines|polic(?:y|ies)|violates?))/,
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
      /^(?:非常|很)?(?:抱歉|对不起|不好意思)[，,。!！ ]*(?:但)?(?:我|作为)[^。！\n]{0,20}(?:无法|不能|不可以|没有办法|拒绝)(?!不)[^。！，,\n]{0,10}(?:提供|回答|协助|满足|帮助|帮|参与|生成|讨论|完成|执行)/,
      /^(?:我|作为[^，,。]{0,20}[，,]?我?)(?:无法|不能)(?:提供|回答|协助|满足|帮助|参与|生成)/,
    ],
    closings:
      /^(?:如果(?:您|你)|请|欢迎|我(?:可以|很乐意)(?:帮|协助|为)|(?:您|你)可以(?:咨询|联系))/,
    marks:
      "(?:抱歉|对不起|很遗憾)[^。]{0,20}(?:无法|不能|不便)|我(?:无法|不能)(?:提供|回答|协助|帮助|满足|完成)",
  },
  japanese: {
    openings: [
      /^(?:大変|誠に)?(?:申し訳|すみません|恐れ入り)[^。\n]{0,15}。?[^。\n]{0,50}(?:お応え|お答え|回答|対応|提供|お?手伝い|協力|支援|サポート|作成|生成)(?:する|を)?(?:こと[はが])?(?:できません|できかねます|いたしかねます)/,
    ],
    closings: /^(?:他に|ほかに|別の|もし|何か|ご了承|ご理解)/,
    marks: "(?:申し訳|すみません)[^。]{0,30}(?:できません|できかねます|お答えできません)",
  },
  korean: {
    openings: [
      /^(?:정말 )?(?:죄송|미안)[^.\n]{0,15}[.,]?[^.\n]{0,50}(?:도와|도움|제공|답변|대답|응답|생성|작성|수행|처리|응할)[^.\n]{0,8}(?:수 없습니다|어렵습니다)/,
    ],
    closings: /^(?:다른|혹시|만약|필요하|궁금)/,
    marks: "(?:죄송|미안)[^.]{0,30}(?:없습니다|어렵습니다)",
  },
  german: {
    openings: [
      /^(?:(?:es )?tut mir (?:sehr )?leid|leider|entschuldigung)?[^.!?\n]{0,20}\b(?:ich (?:kann|darf)|(?:kann|darf) ich)\b[^.!?\n]{0,40}\bnicht (?!genug|anders|umhin|nur|oft|länger)(?:\w+ ){0,2}(?:weiter)?(?:helfen|beantworten|bereitstellen|erstellen|nachkommen|unterstützen)/,
    ],
    closings: /^(?:wenn (?:du|sie)|falls (?:du|sie)|bitte|gerne?|kann ich|ich helfe)/,
    marks:
      "es tut mir leid[^.]{0,40}(?:kann|darf)|ich kann (?:dabei|dir|ihnen) (?:leider )?nicht helfen",
  },
  french: {
    openings: [
      /^(?:je suis (?:vraiment )?désolée?|désolée?|je regrette)[^.!?\n]{0,20}\bje ne (?:peux|suis)(?! (?:que\b|qu['’]|m['’]empêcher))[^.!?\n]{0,30}(?:aider|fournir|répondre|générer|créer|partager|accéder|satisfaire)/,
    ],
    closings: /^(?:si vous|si tu|n['’]hésite|je (?:serai|serais) (?:ravi|heureu)|puis-je|veuillez)/,
    marks: "je (?:suis désolé|regrette)[^.]{0,40}(?:ne peux|ne suis pas)",
  },
  spanish: {
    openings: [
      /^(?:lo siento|lamento)[^.!?\n]{0,30}\bno puedo\b(?! (?:evitar|dejar de|negar|menos))[^.!?\n]{0,30}(?:ayudar|proporcionar|responder|cumplir|generar|crear|ofrecer|asistir|compartir)/,
    ],
    closings: /^(?:si (?:tienes|tiene|necesitas|necesita|quieres|desea|deseas)|¿|por favor)/,
    marks: "(?:lo siento|lamento)[^.]{0,30}no puedo",
  },
  portuguese: {
    openings: [
      /^(?:desculpe|lamento|sinto muito)[^.!?\n]{0,30}\bnão posso\b(?! (?:evitar|deixar de|negar))[^.!?\n]{0,30}(?:ajudar|fornecer|responder|cumprir|gerar|criar|atender|compartilhar)/,
    ],
    closings: /^(?:se (?:você|precisar|tiver|quiser)|por favor|posso ajudar)/,
    marks: "desculpe[^.]{0,30}não posso",
  },
  russian: {
    openings: [
      /^(?:извините|простите|к сожалению)[^.!?\n]{0,30}не (?:могу|смогу)(?! не )[^.!?\n]{0,30}(?:помочь|предоставить|ответить|выполнить|создать|обсуждать)/,
    ],
    closings: /^(?:если (?:у вас|вам|вы|хотите)|пожалуйста|могу ли|я готов)/,
    marks: "(?:извините|к сожалению)[^.]{0,40}(?:не могу|не смогу)",
  },
};

const OPENINGS = Object.values(LANGUAGES).flatMap(({ openings }) => openings);
const MARKS = new RegExp(Object.values(LANGUAGES).map(({ marks }) => marks).join("|"), "i");

/** Each mark in Latin letters contains one of these words. Testing for them first halves the
 * time. */
const MARK_WORD =
  /(?:^|[^a-z])(?:i[^a-z]|as an? |against |lo siento|lamento|je |es tut mir|ich kann|desculpe)/i;
/** Matches a letter of a mark in another script. */
const OTHER_LETTER = /[а-яА-Я\u3040-\ud7a3]/;

const SENTENCE_END = /[.!?]+(?:\s+|$)|[。！？]\s*|\n+/;
/** Matches signs of more than a refusal: a list, figures, code, or text after a colon or dash. */
const HOLDS_MORE = /[:;：；=`|0-9]|\s[-—–*•]\s|[^ ]—|\bhere(?: is| are|['’]s)\b|以下|如下/;
/** Matches words after which a sentence may still give part of what was requested. */
const CONTINUES =
  /\b(?:but|though|although|instead of|yet|except|without|until|unless|before|(?:he|she|they) said)\b|,\s*(?:(?:and|or) )?(?:the|a|an|it|its|this|you|we|he|she|they|my|there|so|try|use)\b|(?:但|不过|然而|可是|却|ただし|しかし|ですが|지만)|(?:^|[\s,])(?:aber|sondern|doch|jedoch|mais|cependant|pero|sino|mas|porém|но|однако|зато)\s/;

/** Whether to discard an answer. An answer is kept if it only begins like a refusal, or also gives
 * part of what was requested. */
export function isRefusal(response: string): boolean {
  const text = response.trim().toLowerCase();
  if (text.length > MAX_DISCARDED_CHARS || HOLDS_MORE.test(text)) return false;
  return Object.values(LANGUAGES).some(({ openings, closings }) =>
    openings.some((opening) => {
      const match = opening.exec(text);
      if (match === null) return false;
      const [end, ...others] = text.slice(match[0].length).split(SENTENCE_END);
      return !CONTINUES.test(end) &&
        others.every((other) => other === "" || closings.test(other) && !CONTINUES.test(other));
    })
  );
}

function beginsLikeRefusal(response: string): boolean {
  const start = response.slice(0, 2 * START_CHARS).trimStart().slice(0, START_CHARS).toLowerCase();
  return OPENINGS.some((opening) => opening.test(start));
}

/** Whether to mark an answer because it begins like a refusal, or because one of the phrases is
 * near its start. */
export function resemblesRefusal(response: string): boolean {
  const start = response.slice(0, START_CHARS);
  const mayMatch = MARK_WORD.test(start) || OTHER_LETTER.test(start);
  return (mayMatch && MARKS.test(start)) || beginsLikeRefusal(response);
}
