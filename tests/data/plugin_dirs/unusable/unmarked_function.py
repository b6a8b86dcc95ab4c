def check_order(intent):
    return None
