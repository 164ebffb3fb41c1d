package fetch

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"broadsheet/store"
)

// textPolicy is the version of what markup and markupPolicy let through. It grows whenever they let through less than
// before, so that what is stored is cleaned again (PROTOCOL S7).
const textPolicy = 1

// policyKind is the kind of the note that says by which policy stored texts were cleaned.
const policyKind = "text policy"

// cleaned is that note.
type cleaned struct {
	Policy int          `json:"policy"`          // all texts were cleaned by this one
	Next   int          `json:"next,omitempty"`  // the policy by which they are being cleaned
	Below  store.ItemID `json:"below,omitempty"` // by it, only those of items below are still to do
}

// Texts is what Resanitise needs of a keeper.
type Texts interface {
	store.Store
	store.Notes
}

// Resanitise cleans all stored texts again where they were cleaned by an older policy. It is called at start-up, before
// anything is polled or published. A run that was interrupted goes on where it was.
func Resanitise(ctx context.Context, st Texts, log *slog.Logger) error {
	return resanitise(ctx, st, textPolicy, log)
}

const resanitiseBatch = 200 // items that are cleaned and written at once

func resanitise(ctx context.Context, st Texts, policy int, log *slog.Logger) error {
	var state cleaned
	note, err := st.Note(ctx, policyKind, "")
	if err != nil {
		return err
	}
	if note != nil {
		if err := json.Unmarshal(note, &state); err != nil {
			return fmt.Errorf("the note on the policy of texts: %w", err)
		}
	}
	if state.Policy >= policy {
		return nil
	}
	if state.Next != policy {
		state.Next, state.Below = policy, 0
	}
	looked, changed := 0, 0
	batch := make([]store.ItemID, 0, resanitiseBatch)
	step := func() error {
		n, err := cleanAgain(ctx, st, batch)
		if err != nil {
			return err
		}
		looked, changed = looked+len(batch), changed+n
		if looked%(50*resanitiseBatch) == 0 {
			log.Info("stored texts are cleaned by a stricter policy", "items", looked, "changed", changed)
		}
		batch = batch[:0]
		return setCleaned(ctx, st, state)
	}
	for it, err := range st.Items(ctx, store.Query{ByArrival: true}) {
		if err != nil {
			return err
		}
		if state.Below > 0 && it.ID >= state.Below {
			continue
		}
		if batch = append(batch, it.ID); len(batch) == resanitiseBatch {
			state.Below = it.ID
			if err := step(); err != nil {
				return err
			}
		}
	}
	if state = (cleaned{Policy: policy}); len(batch) > 0 {
		if err := step(); err != nil {
			return err
		}
	}
	if changed > 0 {
		log.Info("stored texts were cleaned by a stricter policy", "items", looked, "changed", changed)
	}
	return setCleaned(ctx, st, state)
}

func setCleaned(ctx context.Context, st store.Notes, state cleaned) error {
	note, err := json.Marshal(state)
	if err != nil {
		return err
	}
	return st.SetNote(ctx, policyKind, "", note)
}

// cleanAgain cleans the texts of these items, and writes those that are not as they were.
func cleanAgain(ctx context.Context, st store.Store, ids []store.ItemID) (changed int, err error) {
	var rewrites []store.Rewrite
	for body, err := range st.Bodies(ctx, ids...) {
		if err != nil {
			return 0, err
		}
		again := body
		for _, text := range []*string{&again.Summary, &again.Content, &again.Feed.Subtitle, &again.Origin.Subtitle} {
			*text = sanitiseAgain(*text)
		}
		if again.Summary != body.Summary || again.Content != body.Content || again.Feed.Subtitle != body.Feed.Subtitle || again.Origin.Subtitle != body.Origin.Subtitle {
			rewrites = append(rewrites, store.Rewrite{Old: body, New: again})
		}
	}
	if len(rewrites) == 0 {
		return 0, nil
	}
	return st.Rewrite(ctx, st.Now(), rewrites...)
}

// sanitiseAgain cleans a stored text, whose addresses are absolute.
func sanitiseAgain(text string) string {
	if text == "" {
		return ""
	}
	var m markup
	u := m.sanitise(text, nil)
	return m.finish()(u)
}
