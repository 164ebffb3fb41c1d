package bolt

import (
	"context"
	"encoding/json"
	"fmt"

	"broadsheet/store"
	"broadsheet/store/record"
)

// Claim implements store.Store. Each state is read when its host's lease is looked at, so that nothing is saved in between.
func (s *Store) Claim(ctx context.Context, c store.Claim) ([]store.Grant, error) {
	return s.leases.Claim(&c, func(seen store.Seen) (newer *store.FeedState, err error) {
		err = s.view(ctx, func(tx *tx) error {
			v := tx.Bucket(feedsBucket).Get(feedKey(seen.Feed.Outlet, seen.Feed.URL))
			if v == nil {
				return nil
			}
			var f store.FeedState
			if err := json.Unmarshal(v, &f); err != nil {
				return fmt.Errorf("the state of a feed: %w: %w", record.ErrDamaged, err)
			}
			if f.Saves != seen.Saves {
				newer = &f
			}
			return nil
		})
		return newer, err
	})
}
