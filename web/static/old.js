// What a browser shows that is too old for the page, in a form that all of them read:
// nothing here is younger than 2009. It is a script of its own because a browser that
// stumbles over one word of a script runs none of it.

(function () {
  var sentences = {
    en: ['This browser is too old for the chat, or something kept it from starting.', 'Please update it, or use another one.', 'Try again'],
    de: ['Dieser Browser ist zu alt für den Chat, oder etwas hat den Start verhindert.', 'Bitte aktualisiere ihn oder nimm einen anderen.', 'Noch einmal'],
    fr: ['Ce navigateur est trop ancien pour le chat, ou quelque chose l’a empêché de démarrer.', 'Mettez-le à jour ou prenez-en un autre.', 'Réessayer'],
    es: ['Este navegador es demasiado antiguo para el chat, o algo le impidió empezar.', 'Actualízalo o usa otro.', 'Reintentar'],
    pt: ['Este navegador é antigo demais para o chat, ou algo impediu que começasse.', 'Atualize-o ou use outro.', 'Tentar de novo'],
    it: ['Questo browser è troppo vecchio per la chat, o qualcosa le ha impedito di partire.', 'Aggiornalo o usane un altro.', 'Riprova'],
    tr: ['Bu tarayıcı sohbet için çok eski ya da bir şey başlamasını engelledi.', 'Güncelleyin ya da başka bir tarayıcı kullanın.', 'Yeniden dene'],
    pl: ['Ta przeglądarka jest za stara na czat albo coś nie pozwoliło mu wystartować.', 'Zaktualizuj ją lub użyj innej.', 'Spróbuj ponownie'],
    uk: ['Цей браузер застарий для чату, або щось завадило йому запуститися.', 'Оновіть його або скористайтеся іншим.', 'Спробувати ще раз'],
    ru: ['Этот браузер слишком стар для чата, или что-то помешало ему запуститься.', 'Обновите его или возьмите другой.', 'Попробовать снова'],
    ar: ['هذا المتصفح قديم جدًا على المحادثة، أو أن شيئًا منعها من البدء.', 'حدّثه أو استخدم متصفحًا آخر.', 'حاول مرة أخرى'],
    hi: ['यह ब्राउज़र चैट के लिए बहुत पुराना है, या किसी चीज़ ने उसे शुरू होने से रोका।', 'कृपया इसे अपडेट करें या कोई दूसरा इस्तेमाल करें।', 'फिर कोशिश करें'],
    id: ['Peramban ini terlalu lama untuk obrolan, atau ada yang menghalanginya dimulai.', 'Perbarui atau pakai yang lain.', 'Coba lagi'],
    ja: ['このブラウザはチャットには古すぎるか、何かが起動を妨げました。', '更新するか、別のブラウザをお使いください。', 'もう一度'],
    ko: ['이 브라우저는 채팅을 하기에 너무 오래되었거나, 무언가가 시작을 막았습니다.', '업데이트하거나 다른 브라우저를 사용해 주세요.', '다시 시도'],
    zh: ['此浏览器对聊天来说太旧，或有什么阻止了它启动。', '请更新浏览器，或换用其他浏览器。', '重试']
  };

  function choose() {
    var wanted = navigator.languages || [navigator.language || navigator.userLanguage || ''];
    for (var i = 0; i < wanted.length; i++) {
      var language = String(wanted[i]).toLowerCase().split('-')[0];
      if (sentences.hasOwnProperty(language)) return language;
    }
    return 'en';
  }

  function tell() {
    var root = document.documentElement;
    if (root.getAttribute('data-ready') !== null) return; // the page runs
    var language = choose();
    var main = document.createElement('main');
    var section = document.createElement('section');
    section.className = 'intro';
    section.setAttribute('role', 'alert');
    for (var i = 0; i < 2; i++) {
      var line = document.createElement(i === 0 ? 'h2' : 'p');
      line.appendChild(document.createTextNode(sentences[language][i]));
      section.appendChild(line);
    }
    var button = document.createElement('button');
    button.setAttribute('type', 'button');
    button.appendChild(document.createTextNode(sentences[language][2]));
    button.onclick = function () { location.reload(); };
    section.appendChild(button);
    main.appendChild(section);
    while (document.body.firstChild) document.body.removeChild(document.body.firstChild);
    document.body.appendChild(main);
    root.setAttribute('lang', language);
    root.setAttribute('dir', language === 'ar' ? 'rtl' : 'ltr');
    root.setAttribute('data-ready', 'never');
  }

  window.onload = tell; // the page's own script has run by then, or never will
}());
