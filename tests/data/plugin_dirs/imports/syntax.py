LIMIT = (1 +
