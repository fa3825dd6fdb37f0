// Says that an employee was shown what stands on their page: each form marked `data-told` is sent once somebody looks at it. Without
// this file its button does the same. A repeat is harmless: it has the same key.
"use strict";
(() => {
  const forms = [...document.querySelectorAll("form[data-told]")];
  const tell = async (form) => {
    try {
      const answer = await fetch(form.action, {
        method: "POST",
        body: new URLSearchParams(new FormData(form)),
        credentials: "same-origin",
        redirect: "manual",
        signal: AbortSignal.timeout(10000),
      });
      if (answer.type === "opaqueredirect") form.hidden = true;
    } catch {
      // the button stays
    }
  };
  const all = async () => {
    for (const form of forms.splice(0)) await tell(form);
  };
  const look = () => {
    if (!document.hidden) all();
  };
  look();
  document.addEventListener("visibilitychange", look);
})();
