"""Planted bugs (sabotage) and legal oddities: each breaks, or bends, exactly one promise at a seam."""
