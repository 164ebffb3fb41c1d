package fetch

func trimJSON(src []byte) ([]byte, error, error) { return src, nil, nil }
