package publish

import (
	"strconv"
	"strings"
	"time"
)

// words are what the pages say by themselves, in one language.
type words struct {
	Lang string // in which they are; that of the page, unless nobody has translated them yet

	Skip, Sections, Latest, More, Empty, NoSection string
	AlsoIn, SeeAlso, FullText, File, Why           string
	Subscribe, HowTo, EverySection, Outlets        string
	Months, Earlier, Later                         string
	AllSections, Times, Missing, Gone, FeedIntro   string

	Calendar     string // the months' names, from January on
	Day, YearDay string // how a date is written without and with its year: {d}, {m}, {y}
}

// speech has the words by language. A language that is not here gets English words, marked as such.
var speech = map[string]words{
	"en": {Lang: "en",
		Skip: "Skip to the news", Sections: "Sections", Latest: "Latest news of", More: "More", Empty: "Nothing here yet.", NoSection: "No section is configured.",
		AlsoIn: "Also in", SeeAlso: "See also", FullText: "Full text", File: "file", Why: "Why here?",
		Subscribe: "Subscribe", HowTo: "Copy one of these addresses into a feed reader; it will show what is new here. Any of them will do.",
		EverySection: "All sections at once", Outlets: "The outlets",
		Months: "Month by month", Earlier: "Earlier", Later: "Later",
		AllSections: "All sections", Times: "Times are in", Missing: "There is no such page.", Gone: "This page was here once and will not come back.",
		FeedIntro: "This is a feed: news for programs. Copy the address of this page into a feed reader, and it will show you what is new. People read the same here:",
		Calendar:  "January February March April May June July August September October November December", Day: "{d} {m}", YearDay: "{d} {m} {y}"},
	"de": {Lang: "de",
		Skip: "Zu den Nachrichten", Sections: "Ressorts", Latest: "Letzte Nachrichten vom", More: "Mehr", Empty: "Hier ist noch nichts.", NoSection: "Es ist kein Ressort eingerichtet.",
		AlsoIn: "Auch in", SeeAlso: "Siehe auch", FullText: "Ganzer Text", File: "Datei", Why: "Warum hier?",
		Subscribe: "Abonnieren", HowTo: "Eine dieser Adressen in einen Feedreader kopieren; er zeigt dann, was es hier Neues gibt. Welche, ist gleich.",
		EverySection: "Alle Ressorts auf einmal", Outlets: "Die Quellen",
		Months: "Monat für Monat", Earlier: "Früher", Later: "Später",
		AllSections: "Alle Ressorts", Times: "Zeiten in", Missing: "Diese Seite gibt es nicht.", Gone: "Diese Seite gab es einmal; sie kommt nicht wieder.",
		FeedIntro: "Dies ist ein Feed: Nachrichten für Programme. Wer die Adresse dieser Seite in einen Feedreader kopiert, bekommt dort gezeigt, was es Neues gibt. Menschen lesen dasselbe hier:",
		Calendar:  "Januar Februar März April Mai Juni Juli August September Oktober November Dezember", Day: "{d}. {m}", YearDay: "{d}. {m} {y}"},
	"fr": {Lang: "fr",
		Skip: "Aller aux nouvelles", Sections: "Rubriques", Latest: "Dernières nouvelles du", More: "Suite", Empty: "Rien ici pour le moment.", NoSection: "Aucune rubrique n’est configurée.",
		AlsoIn: "Aussi dans", SeeAlso: "Voir aussi", FullText: "Texte intégral", File: "fichier", Why: "Pourquoi ici ?",
		Subscribe: "S’abonner", HowTo: "Copiez l’une de ces adresses dans un lecteur de flux ; il affichera les nouveautés. Toutes se valent.",
		EverySection: "Toutes les rubriques à la fois", Outlets: "Les sources",
		Months: "Mois par mois", Earlier: "Avant", Later: "Après",
		AllSections: "Toutes les rubriques", Times: "Heures :", Missing: "Cette page n’existe pas.", Gone: "Cette page a existé ; elle ne reviendra pas.",
		FeedIntro: "Ceci est un flux : des nouvelles pour les programmes. Copiez l’adresse de cette page dans un lecteur de flux, il vous montrera les nouveautés. La même chose pour les humains :",
		Calendar:  "janvier février mars avril mai juin juillet août septembre octobre novembre décembre", Day: "{d} {m}", YearDay: "{d} {m} {y}"},
	"es": {Lang: "es",
		Skip: "Ir a las noticias", Sections: "Secciones", Latest: "Últimas noticias del", More: "Más", Empty: "Aún no hay nada aquí.", NoSection: "No hay ninguna sección configurada.",
		AlsoIn: "También en", SeeAlso: "Véase también", FullText: "Texto completo", File: "archivo", Why: "¿Por qué aquí?",
		Subscribe: "Suscribirse", HowTo: "Copie una de estas direcciones en un lector de noticias; le mostrará lo nuevo. Cualquiera sirve.",
		EverySection: "Todas las secciones a la vez", Outlets: "Los medios",
		Months: "Mes a mes", Earlier: "Antes", Later: "Después",
		AllSections: "Todas las secciones", Times: "Horas en", Missing: "Esta página no existe.", Gone: "Esta página existió; no volverá.",
		FeedIntro: "Esto es un canal de noticias para programas. Copie la dirección de esta página en un lector de noticias y le mostrará lo nuevo. Para personas, lo mismo está aquí:",
		Calendar:  "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre", Day: "{d} de {m}", YearDay: "{d} de {m} de {y}"},
	"it": {Lang: "it",
		Skip: "Vai alle notizie", Sections: "Sezioni", Latest: "Ultime notizie del", More: "Altro", Empty: "Qui non c’è ancora niente.", NoSection: "Nessuna sezione è configurata.",
		AlsoIn: "Anche in", SeeAlso: "Vedi anche", FullText: "Testo completo", File: "file", Why: "Perché qui?",
		Subscribe: "Abbonarsi", HowTo: "Copia uno di questi indirizzi in un lettore di feed: mostrerà le novità. Vanno bene tutti.",
		EverySection: "Tutte le sezioni insieme", Outlets: "Le testate",
		Months: "Mese per mese", Earlier: "Prima", Later: "Dopo",
		AllSections: "Tutte le sezioni", Times: "Orari in", Missing: "Questa pagina non esiste.", Gone: "Questa pagina c’era una volta; non tornerà.",
		FeedIntro: "Questo è un feed: notizie per programmi. Copia l’indirizzo di questa pagina in un lettore di feed e ti mostrerà le novità. Per le persone, lo stesso è qui:",
		Calendar:  "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre", Day: "{d} {m}", YearDay: "{d} {m} {y}"},
	"fa": {Lang: "fa",
		Skip: "رفتن به خبرها", Sections: "بخش\u200cها", Latest: "آخرین خبرهای", More: "بیشتر", Empty: "هنوز چیزی اینجا نیست.", NoSection: "هیچ بخشی تنظیم نشده است.",
		AlsoIn: "همچنین در", SeeAlso: "همچنین ببینید", FullText: "متن کامل", File: "پرونده", Why: "چرا اینجا؟",
		Subscribe: "اشتراک", HowTo: "یکی از این نشانی\u200cها را در یک خبرخوان بگذارید تا خبرهای تازه را نشان دهد. فرقی نمی\u200cکند کدام.",
		EverySection: "همهٔ بخش\u200cها یک\u200cجا", Outlets: "رسانه\u200cها",
		Months: "ماه به ماه", Earlier: "پیش\u200cتر", Later: "پس\u200cتر",
		AllSections: "همهٔ بخش\u200cها", Times: "ساعت\u200cها به وقت", Missing: "چنین صفحه\u200cای نیست.", Gone: "این صفحه زمانی بود و دیگر برنمی\u200cگردد.",
		FeedIntro: "این یک خوراک خبری برای برنامه\u200cهاست. نشانی این صفحه را در یک خبرخوان بگذارید تا خبرهای تازه را نشان دهد. صفحهٔ خواندنی همین خبرها اینجاست:",
		Calendar:  "ژانویه فوریه مارس آوریل مه ژوئن ژوئیه اوت سپتامبر اکتبر نوامبر دسامبر", Day: "{d} {m}", YearDay: "{d} {m} {y}"},
}

// wordsIn are the words for pages in a language.
func wordsIn(tag string) words {
	if w, ok := speech[primary(tag)]; ok {
		return w
	}
	return speech["en"]
}

// primary is the language in a tag, without script and region.
func primary(tag string) string {
	language, _, _ := strings.Cut(strings.ToLower(tag), "-")
	return language
}

// day is a date as people write it.
func (w *words) day(t time.Time) string { return w.spell(w.YearDay, t) }

// moment is a date and the time of day.
func (w *words) moment(t time.Time) string { return w.day(t) + ", " + t.Format("15:04") }

// short is as much of a moment as is to be said on a page that names the day today.
func (w *words) short(t, today time.Time) string {
	switch {
	case t.Year() != today.Year():
		return w.day(t)
	case t.YearDay() != today.YearDay():
		return w.spell(w.Day, t)
	}
	return t.Format("15:04")
}

func (w *words) month(t time.Time) string { return w.spell("{m} {y}", t) }

func (w *words) spell(form string, t time.Time) string {
	months := strings.Fields(w.Calendar)
	return strings.NewReplacer("{d}", strconv.Itoa(t.Day()), "{m}", months[t.Month()-1], "{y}", strconv.Itoa(t.Year())).Replace(form)
}
