/**
 * Hostile texts of a prompt, a model or a server: scripts, markup, styles, and control sequences of
 * a terminal. Those that run in a page set `hacked` or open a dialog.
 *
 * @module
 */

/** The texts. All are short enough to be shown whole everywhere. */
export const HOSTILE_TEXTS: readonly string[] = [
  // Script elements, and ways out of one.
  "<script>hacked=1</script>",
  "<ScRiPt>alert(1)</sCrIpT>",
  "<script src=data:text/javascript,hacked=1></script>",
  "</script><script>hacked=1</script>",
  "</script\n><img src=x onerror=hacked=1>",
  "<!--<script>hacked=1",
  "--><script>hacked=1</script><!--",
  "]]><script>hacked=1</script>",
  '<script type="module">globalThis.hacked=1</script>',
  // Handlers.
  "<img src=x onerror=alert(1)>",
  '<img src="x" onerror="hacked=1">',
  "<svg onload=alert(1)>",
  "<svg/onload=hacked=1//",
  "<svg><script>hacked=1</script></svg>",
  "<svg><animate onbegin=hacked=1 attributeName=x dur=1s>",
  "<body onload=alert(1)>",
  "<details open ontoggle=hacked=1>",
  "<input autofocus onfocus=hacked=1>",
  "<video><source onerror=hacked=1></video>",
  "<marquee onstart=hacked=1>x</marquee>",
  "<math><mtext><style><img src=x onerror=hacked=1></style></mtext></math>",
  "<x contenteditable onblur=hacked=1 tabindex=0>x</x>",
  // Ways out of an attribute.
  '"><img src=x onerror=hacked=1>',
  "'><svg onload=hacked=1>",
  '" onmouseover="hacked=1" autofocus onfocus="hacked=1" x="',
  "` onerror=hacked=1 `",
  "</title><script>hacked=1</script>",
  "</textarea><script>hacked=1</script>",
  "</style><script>hacked=1</script>",
  "</pre></div><script>hacked=1</script>",
  // Addresses.
  "javascript:alert(1)",
  " java\tscript:hacked=1",
  '<a href="javascript:hacked=1">look</a>',
  '<iframe src="javascript:parent.hacked=1"></iframe>',
  '<iframe srcdoc="<script>parent.hacked=1</script>"></iframe>',
  "<object data=data:text/html,<script>alert(1)</script>>",
  "<embed src=javascript:hacked=1>",
  '<form action="javascript:hacked=1"><button>Continue</button></form>',
  "data:text/html,<script>alert(1)</script>",
  // Elements that change the page around them.
  "<meta http-equiv=refresh content=0;url=data:text/html,hacked>",
  "<base href=//evil.example/>",
  '<link rel=stylesheet href="//evil.example/x.css">',
  "<style>*{display:none}</style>",
  '<p style="background:url(javascript:hacked=1)">',
  "x{width:expression(hacked=1)}",
  "<plaintext>",
  "<template shadowrootmode=open><script>hacked=1</script></template>",
  // Templates, JSON and Markdown.
  "${hacked=1}",
  "{{constructor.constructor('hacked=1')()}}",
  "#{hacked=1}<%= hacked=1 %>",
  '{"__proto__":{"hacked":1}}',
  '"}];hacked=1;//',
  "\\u003cscript\\u003ehacked=1\\u003c/script\\u003e",
  "&lt;script&gt;hacked=1&lt;/script&gt;",
  "&#60;img src=x onerror=hacked=1&#62;",
  "[look](javascript:hacked=1)",
  '![x](x"onerror="hacked=1)',
  "$& $' $` $1 $$",
  // One text for many places.
  "jaVasCript:/*-/*`/*\\`/*'/*\"/**/(hacked=1)//</stYle/</scRipt/--!>\\x3csVg/<sVg/oNloAd=hacked=1//>",
  "'-hacked=1-'\"-hacked=1-\"",
  // Characters that look like others.
  "a\u2028hacked=1\u2029b",
  "a\u0000b<scr\u0000ipt>hacked=1</scr\u0000ipt>",
  "\u202egnp.exe\u202c \u2066right\u2069",
  "\ufeff<script>hacked=1</script>",
  "\ud800<script>hacked=1</script>\udfff",
  "\uff1cscript\uff1ehacked=1\uff1c/script\uff1e",
  "+ADw-script+AD4-hacked=1+ADw-/script+AD4-",
  "Z\u0351\u036b\u0343a\u0334l\u0321g\u0322o",
  // Control sequences of a terminal.
  "\x1b[2J\x1b[H\x1b[31mred\x1b[0m",
  "\x1b]0;owned\x07\x1b]52;c;aGFja2Vk\x07",
  "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\",
  '\x1bP$q"p\x1b\\\x1b_G\x1b\\\x1bc\x1b[6n\x1b[?1049h',
  "\x9b31m\x9d0;owned\x9c\x90q\x9c",
  "line\r\x1b[A\x1b[Kforged line\n\b\b\bforged",
];
